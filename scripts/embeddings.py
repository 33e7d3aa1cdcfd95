r"""Writes the trajectories of a checkpoint's embeddings of clips, as picture and table.

    python -m scripts.embeddings --checkpoint=runs/own/best_ckpt --clips=DIR \
        --output_dir=runs/own/embeddings

CLIPS is a folder of class folders of videos, videos separated by commas, or records
('records/test-*.tfrecord'). Clips are taken from the middle of each video, at the
model's frames per second. OUTPUT_DIR gets trajectories.png (the paths of some clips on
the first two principal components) and embeddings.csv (a row for each frame).
"""

from grw_tf.common import flags, programs
from grw_tf.evaluation.trajectories import TrajectoryConfig, write_trajectories

flags.define_flags(TrajectoryConfig, required=["checkpoint", "clips", "output_dir"])


def main(_: list[str]) -> None:
    config = flags.config_from_flags(TrajectoryConfig)
    print(write_trajectories(config))
    print(f"Written to {config.output_dir}.")


if __name__ == "__main__":
    programs.run(main)
