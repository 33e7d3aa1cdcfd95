r"""Writes the trajectories of a checkpoint's embeddings of clips, as picture and table.

    grw-embeddings --checkpoint=runs/own/best_ckpt --clips=DIR \
        --output_dir=runs/own/embeddings

CLIPS is a folder of class folders of videos, videos separated by commas, or records
('records/test-*.tfrecord'). Clips are taken from the middle of each video, at the
model's frames per second. OUTPUT_DIR gets trajectories.png (the paths of some clips on
the first two principal components) and embeddings.csv (a row for each frame).
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.trajectories import TrajectoryConfig, write_trajectories


def define_flags() -> None:
    flags.define_flags(TrajectoryConfig, required=["checkpoint", "clips", "output_dir"])


def main(_: list[str]) -> None:
    tell_devices()
    config = flags.config_from_flags(TrajectoryConfig)
    print(write_trajectories(config))
    print(f"Written to {config.output_dir}.")
