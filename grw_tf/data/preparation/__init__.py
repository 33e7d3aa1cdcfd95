"""Converts videos to records."""
