"""The airplanes demo over seeds and weights of the GRW loss: mean and spread.

Prints a table in Markdown; each run's numbers stay in OUTPUT_DIR/study/results.json.
Safe to kill and run again.

    python -m scripts.airplanes_study
"""

import dataclasses
import pathlib

import tf_keras
from absl import flags as absl_flags

from grw_tf.common import flags, programs
from grw_tf.demo import airplanes
from grw_tf.demo.comparison import measure, new_model
from grw_tf.demo.study import (
    markdown_table,
    mean_and_spread,
    run_study,
    shared_settings,
)
from grw_tf.training.fit import fit

flags.define_flags(airplanes.AirplanesDemoConfig)
_SEEDS = absl_flags.DEFINE_integer("seeds", 5, "How many seeds, from `seed` on.")
_WEIGHTS = absl_flags.DEFINE_list(
    "weights", ["0", "0.01", "0.1", "1"], "Weights of the GRW loss."
)


def run(config, train, test, title):
    """Trains one model and returns its numbers on the test videos."""
    model = new_model(airplanes.model_config(config, train), config.seed)
    history = fit(model, train, test, config.training(), config.output_dir, title)
    result = measure("", model, history, test, config.window)
    tf_keras.backend.clear_session()
    return {
        "test accuracy": result.accuracy,
        "training accuracy": history[-1]["accuracy"],
        **dataclasses.asdict(result.smoothness),
    }


def table(results):
    """Returns mean ± standard deviation over seeds, a row for each weight."""
    columns = list(next(iter(results.values()))[0])
    rows = [
        [
            weight,
            *(mean_and_spread([run[column] for run in runs]) for column in columns),
        ]
        for weight, runs in results.items()
    ]
    return markdown_table(["lambda", *columns], rows)


def main(_):
    config = flags.config_from_flags(airplanes.AirplanesDemoConfig)
    train, test = airplanes.load(config)
    output_dir = pathlib.Path(config.output_dir) / "study"

    def run_variant(weight, seed, title):
        run_dir = output_dir / f"lambda_{weight}_seed_{seed}"
        variant = dataclasses.replace(
            config, weight=float(weight), seed=seed, output_dir=str(run_dir)
        )
        return run(variant, train, test, f"lambda {title}")

    run_study(
        output_dir / "results.json",
        shared_settings(config, varied=("weight", "seed")),
        _WEIGHTS.value,
        range(config.seed, config.seed + _SEEDS.value),
        run_variant,
        table,
    )


if __name__ == "__main__":
    programs.run(main)
