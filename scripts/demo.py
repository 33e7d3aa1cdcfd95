"""The main job in one command, on generated aeroplanes.

Builds the data, trains two equal small streaming MoViNets without and with GRW
smoothing, prints one table, draws embeddings and learning curves, and exports the
smoothed model as a streaming TFLite file. Safe to kill and run again.

    python -m scripts.demo
"""

from grw_tf.common import flags, programs
from grw_tf.demo import airplanes
from grw_tf.demo.comparison import compare
from grw_tf.demo.report import report

flags.define_flags(airplanes.AirplanesDemoConfig)


def main(_):
    config = flags.config_from_flags(airplanes.AirplanesDemoConfig)
    train, test = airplanes.load(config)
    results = compare(airplanes.model_config(config, train), train, test, config)
    report(
        results,
        train,
        test,
        config,
        figure_name="airplanes",
        title="Airplanes turning in yaw, pitch or roll: embeddings of unseen videos",
    )


if __name__ == "__main__":
    programs.run(main)
