"""Evaluates a checkpoint on records: by clips, by views, or frame by frame.

Runs `grw_tf.programs.evaluate`, as `grw-evaluate` does.
"""

from grw_tf.programs.console import evaluate

if __name__ == "__main__":
    evaluate()
