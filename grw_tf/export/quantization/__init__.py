"""Smaller and quicker files: float16, 8-bit weights, int8."""
