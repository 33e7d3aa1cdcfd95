r"""Exports a trained model as one TFLite file.

Converts and quantizes the model, replays streams through model and file, and, if they
agree, writes the file with its labels, manifest and report inside. A model that sees
later frames and so cannot be streamed, such as a base MoViNet, becomes a file that
classifies whole clips.

    grw-export --checkpoint_dir=runs/own --output=model.tflite \
        [--quantization=auto|none|float16|dynamic|weight_only|int8|int16] \
        [--target=cpu|gpu] [--layout=grw|tensorflow_examples]
"""

from grw_tf.common import flags
from grw_tf.export.export import export
from grw_tf.export.export_config import ExportConfig
from grw_tf.export.report import REPORT_FILE
from grw_tf.export.tensorflow_examples import LABEL_FILE, LAYOUT


def define_flags() -> None:
    flags.define_flags(ExportConfig, required=["checkpoint_dir", "output"])


def main(_: object) -> None:
    config = flags.config_from_flags(ExportConfig)
    print(export(config).table())
    beside = REPORT_FILE
    if config.layout == LAYOUT:
        beside = f"{LABEL_FILE} and {REPORT_FILE}"
    print(f"Written to {config.output}, with {beside} beside it.")
