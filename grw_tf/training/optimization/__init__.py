"""Optimizers: a learning rate for the backbone, another for the head."""
