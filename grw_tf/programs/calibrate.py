r"""Chooses the threshold below which an exported file answers "none of these".

    grw-calibrate --model=model.tflite --clips='records/validation-*.tfrecord' \
        --target_precision=0.95
    grw-calibrate --model=model.tflite --clips=DIR --background=DIR \
        --false_alarms_per_hour=1

The file is run over validation clips, which give the temperature of its probabilities,
and over background: videos that show none of its classes. The threshold is the lowest
one with the precision asked for, or with so few false alarms an hour. Temperature,
threshold and the rules of events are written into the file; `grw-stream` and
`StreamSession` go by them. Nothing else in the file changes.
"""

from grw_tf.common import flags
from grw_tf.export.calibrate import CalibrationConfig, calibrate


def define_flags() -> None:
    flags.define_flags(CalibrationConfig, required=["model", "clips"])


def main(_: object) -> None:
    config = flags.config_from_flags(CalibrationConfig)
    print(calibrate(config))
    print(f"Written into {config.output or config.model}.")
