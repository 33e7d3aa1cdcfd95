"""Which regulariser helps a small SlowOnly that overfits, over seeds.

On generated aeroplanes: RMS and its ablations, its rivals, and GRW smoothing, each
from the same initial weights, on the same clips in the same order. Prints a table in
Markdown; it, a figure and each run's numbers stay in OUTPUT_DIR. Safe to kill and run
again.

    python -m scripts.regulariser_study
"""

import dataclasses
import pathlib

from absl import flags as absl_flags

from grw_tf.common import flags, programs
from grw_tf.demo import airplanes, regularisers
from grw_tf.demo.gap_figure import draw_gaps
from grw_tf.demo.study import run_study, shared_settings

flags.define_flags(regularisers.RegulariserStudyConfig)
_SEEDS = absl_flags.DEFINE_integer(
    "seeds", 3, "How many seeds, from `seed` on.", lower_bound=1
)
_VARIANTS = absl_flags.DEFINE_list(
    "variants", [], f"Variants to run beside {regularisers.BASELINE!r}; empty: all."
)


def main(_):
    config = flags.config_from_flags(regularisers.RegulariserStudyConfig)
    names = regularisers.choose_variants(config, _VARIANTS.value)
    train, test = airplanes.load(config)

    def run(name, seed, title):
        seeded = dataclasses.replace(config, seed=seed)
        return regularisers.run(seeded, name, train, test, title)

    output_dir = pathlib.Path(config.output_dir)
    results = run_study(
        output_dir / "results.json",
        shared_settings(config, varied=("seed",)),
        names,
        range(config.seed, config.seed + _SEEDS.value),
        run,
        regularisers.table,
    )
    (output_dir / "table.md").write_text(f"{regularisers.table(results)}\n")
    draw_gaps(output_dir / "regularisers.png", results)
    print(f"Table and figure: {output_dir}/table.md, {output_dir}/regularisers.png")


if __name__ == "__main__":
    programs.run(main)
