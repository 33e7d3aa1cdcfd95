"""Turns frames into model input: geometry, choice in time, and pixels."""
