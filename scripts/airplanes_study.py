"""The airplanes demo over seeds and weights of the GRW loss: mean and spread.

Prints a table in Markdown; each run's numbers stay in OUTPUT_DIR/results.json. Safe to
kill and run again.

    python -m scripts.airplanes_study
"""

import dataclasses
import json
import pathlib

import numpy as np
import tf_keras
from absl import flags as absl_flags

from grw_tf import flags, programs
from grw_tf.demo import airplanes
from grw_tf.demo.comparison import measure, new_model
from grw_tf.training.fit import fit

flags.define_flags(airplanes.AirplanesDemoConfig)
_SEEDS = absl_flags.DEFINE_integer("seeds", 5, "How many seeds, from `seed` on.")
_WEIGHTS = absl_flags.DEFINE_list(
    "weights", ["0", "0.01", "0.1", "1"], "Weights of the GRW loss."
)


def run(config, train, test):
    """Trains one model and returns its numbers on the test videos."""
    model = new_model(airplanes.model_config(config, train), config.seed)
    history = fit(
        model,
        train,
        test,
        config.training(),
        config.output_dir,
        title=f"lambda {config.weight}, seed {config.seed}",
    )
    result = measure("", model, history, test, config.window)
    tf_keras.backend.clear_session()
    return {
        "test accuracy": result.accuracy,
        "training accuracy": history[-1]["accuracy"],
        **dataclasses.asdict(result.smoothness),
    }


def markdown_table(results):
    """Returns mean ± standard deviation over seeds, a row for each weight."""
    columns = list(next(iter(results.values()))[0])
    lines = [
        "| lambda | " + " | ".join(columns) + " |",
        "|" + "---|" * (len(columns) + 1),
    ]
    for weight, runs in results.items():
        cells = []
        for column in columns:
            values = [numbers[column] for numbers in runs]
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}")
        lines.append(f"| {weight} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(_):
    config = flags.config_from_flags(airplanes.AirplanesDemoConfig)
    train, test = airplanes.load(config)
    output_dir = pathlib.Path(config.output_dir) / "study"
    results = {weight: [] for weight in _WEIGHTS.value}
    # Seeds outermost, so that a table of fewer seeds is fair at any time.
    for seed in range(config.seed, config.seed + _SEEDS.value):
        for weight in _WEIGHTS.value:
            run_dir = output_dir / f"lambda_{weight}_seed_{seed}"
            variant = dataclasses.replace(
                config, weight=float(weight), seed=seed, output_dir=str(run_dir)
            )
            results[weight].append(run(variant, train, test))
        (output_dir / "results.json").write_text(json.dumps(results, indent=1))
        print(f"\n{markdown_table(results)}\n", flush=True)


if __name__ == "__main__":
    programs.run(main)
