"""Prints models' costs, counted from their graphs, beside published figures.

Runs `grw_tf.programs.model_table`, as `grw-model-table` does.
"""

from grw_tf.programs.console import model_table

if __name__ == "__main__":
    model_table()
