"""Writes a model's weights as a state dict for PyTorch, without needing PyTorch.

Runs `grw_tf.programs.export_torch`, as `grw-export-torch` does.
"""

from grw_tf.programs.console import export_torch

if __name__ == "__main__":
    export_torch()
