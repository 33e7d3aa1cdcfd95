"""Data sets and video reading."""
