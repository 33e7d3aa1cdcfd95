"""Exchange of weights with PyTorch, without PyTorch."""
