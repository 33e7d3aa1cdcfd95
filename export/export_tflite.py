"""Exports a trained model as one TFLite file.

Runs `grw_tf.programs.export`, as `grw-export` does.
"""

from grw_tf.programs.console import export

if __name__ == "__main__":
    export()
