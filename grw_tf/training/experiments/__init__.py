"""Experiments: typed configs, registered with the Model Garden's factory."""
