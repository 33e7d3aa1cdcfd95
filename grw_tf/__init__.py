"""GRW smoothing and streaming export for TensorFlow video models."""

__version__ = "0.1.0"
