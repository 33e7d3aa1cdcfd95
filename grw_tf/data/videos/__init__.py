"""Reading video files: which stream, which way up, which frames."""
