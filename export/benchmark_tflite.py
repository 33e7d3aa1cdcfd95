r"""Times exported files frame by frame, side by side, and measures their memory.

    python -m export.benchmark_tflite --models=float.tflite,dynamic.tflite \
        --checkpoint_dir=runs/own [--json]

With --checkpoint_dir, the Model Garden's own export of the same MoViNet is timed too.
"""

import json

from grw_tf.common import flags, programs
from grw_tf.export.benchmark.file_comparison import (
    BenchmarkConfig,
    as_dict,
    benchmark,
    report,
)

flags.define_flags(BenchmarkConfig, required=["models"])


def main(_: object) -> None:
    config = flags.config_from_flags(BenchmarkConfig)
    figures, times = benchmark(config)
    if config.json:
        print(json.dumps(as_dict(config, figures, times), indent=2))
    else:
        print(report(config, figures, times))


if __name__ == "__main__":
    programs.run(main)
