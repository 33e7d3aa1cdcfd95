"""Times exported files side by side."""
