"""Weights: official checkpoints, and exchange with PyTorch."""
