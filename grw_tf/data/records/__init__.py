"""Records of clips: their form, and reading them."""
