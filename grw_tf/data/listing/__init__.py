"""Lists videos with their classes and splits."""
