"""Experiments: typed configs in the Model Garden's factory, and how to read them."""
