"""Prints models' costs, counted from their graphs, beside published figures.

The costs are parameters, multiply-adds of a video and of a frame, and peak memory at
inference. They need no data and no weights. Counts are kept in the user's cache, so a
killed command resumes; the first run of all models takes minutes.

    grw-model-table --output_dir=runs/model_table
    grw-model-table --models=a0_base,a0_stream,a0_stream_grw
"""

from grw_tf.common import flags
from grw_tf.cost_table.table import ModelTableConfig, model_table


def define_flags() -> None:
    flags.define_flags(ModelTableConfig)


def main(_: list[str]) -> None:
    """Prints the table, and writes it if a folder is set."""
    config = flags.config_from_flags(ModelTableConfig)
    print(model_table(config))
    if config.output_dir:
        print(f"\nWritten to {config.output_dir}.")
