r"""Evaluates the events that an exported file finds, against a table of true segments.

    grw-evaluate-events --model=model.tflite --csv=segments.csv --output_dir=events \
        [--background=DIR] [--min_iou=0.5] [--on_threshold=0.8 --off_threshold=0.6]

Prints the F1 of events and the false alarms an hour. OUTPUT_DIR gets events.csv, every
event and whether it is right, and results.json. The thresholds are those that
`grw-calibrate` put into the file, unless others are given.
"""

from grw_tf.common import flags
from grw_tf.evaluation.evaluate_events import EventEvaluationConfig, evaluate_events


def define_flags() -> None:
    flags.define_flags(EventEvaluationConfig, required=["model", "csv", "output_dir"])


def main(_: object) -> None:
    config = flags.config_from_flags(EventEvaluationConfig)
    print(evaluate_events(config))
    print(f"Written to {config.output_dir}.")
