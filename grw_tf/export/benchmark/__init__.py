"""Compares exported files."""
