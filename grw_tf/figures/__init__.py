"""Draws figures from arrays."""
