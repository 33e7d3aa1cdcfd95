"""Exports a trained model as a streaming TFLite file that runs by itself.

Converts, quantizes, replays streams through model and file, and writes the file with
its labels, manifest and figures inside, if it gives the model's numbers.

    python -m export.export_tflite --checkpoint_dir=runs/own --output=model.tflite \\
        [--quantization=none|float16|dynamic|int8]
"""

from grw_tf.common import flags, programs
from grw_tf.export.export import REPORT_FILE, ExportConfig, export

flags.define_flags(ExportConfig, required=["checkpoint_dir", "output"])


def main(_: object) -> None:
    config = flags.config_from_flags(ExportConfig)
    print(export(config).table())
    print(f"Written to {config.output}, with {REPORT_FILE} beside it.")


if __name__ == "__main__":
    programs.run(main)
