"""Makes a checkpoint from PyTorch weights, without PyTorch or running the file.

Runs `grw_tf.programs.import_torch`, as `grw-import-torch` does.
"""

from grw_tf.programs.console import import_torch

if __name__ == "__main__":
    import_torch()
