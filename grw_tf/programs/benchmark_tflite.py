r"""Times exported files frame by frame, side by side, and measures their memory.

    grw-benchmark-tflite --models=float.tflite,dynamic.tflite \
        --checkpoint_dir=runs/own [--json]

With --checkpoint_dir, the Model Garden's own export of the same MoViNet is timed too.
"""

import json

from grw_tf.common import flags
from grw_tf.export.benchmark.file_comparison import (
    BenchmarkConfig,
    as_dict,
    benchmark,
    report,
)


def define_flags() -> None:
    flags.define_flags(BenchmarkConfig, required=["models"])


def main(_: object) -> None:
    config = flags.config_from_flags(BenchmarkConfig)
    figures, times = benchmark(config)
    if config.json:
        print(json.dumps(as_dict(config, figures, times), indent=2))
    else:
        print(report(config, figures, times))
