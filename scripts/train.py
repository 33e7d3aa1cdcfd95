"""Trains and evaluates an experiment of the Model Garden's factory.

Runs `grw_tf.programs.train`, as `grw-train` does.
"""

from grw_tf.programs.console import train

if __name__ == "__main__":
    train()
