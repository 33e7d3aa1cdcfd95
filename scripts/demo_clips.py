"""The demo on a folder of class folders of videos.

Fine-tunes a streaming MoViNet twice, without and with GRW smoothing, all else equal,
prints one table, draws embeddings and learning curves, and exports the smoothed model
as a streaming TFLite file. Safe to kill and run again.

    python -m scripts.demo_clips --clips=DIR --init_checkpoint=CHECKPOINT
"""

import pathlib

from grw_tf.common import flags, programs
from grw_tf.demo import clips
from grw_tf.demo.comparison import compare
from grw_tf.demo.report import report
from grw_tf.weights.restore import restore

flags.define_flags(clips.ClipsDemoConfig, required=["clips"])


def main(_):
    config = flags.config_from_flags(clips.ClipsDemoConfig)
    train, test = clips.load(config)

    def initialise(model):
        if config.init_checkpoint:
            restore(model, config.init_checkpoint)

    results = compare(
        clips.model_config(config, train), train, test, config, initialise
    )
    report(
        results,
        train,
        test,
        config,
        figure_name="clips",
        title=f"Embeddings of unseen clips of {pathlib.Path(config.clips).name}",
        clips=config.clips,
    )


if __name__ == "__main__":
    programs.run(main)
