"""Optimizers with one learning rate for the backbone and one for the head."""
