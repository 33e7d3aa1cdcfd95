"""Converts videos to TFRecords that the Model Garden reads.

    grw-prepare --input=DIR --output_dir=records
    grw-prepare --csv=FILE --output_dir=records
    grw-prepare --annotations=LABELS --input=WEBM --output_dir=records

DIR holds class folders of videos (any kind that FFmpeg reads), or split folders (train,
validation, test, or other usual names) of class folders. LABELS holds the json files of
Something-Something-v2, and WEBM its videos. The program writes
`<split>-00000-of-0000N.tfrecord`, `labels.txt` and `manifest.json`. It can be killed
and rerun.

Other files in DIR are counted, named, and listed in `left_out.csv`. The exit status is
1 if a video cannot be used, or if a file is left out that was perhaps meant to be used
(`grw_tf.data.listing.left_out` describes which). The records are written all the same.
Texts, pictures, hidden files and the like do not affect the exit status.
"""

import sys
from collections.abc import Sequence

from grw_tf.common import flags, programs
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import prepare


def define_flags() -> None:
    flags.define_flags(PreparationConfig, required=["output_dir"])


def main(_: Sequence[str]) -> int:
    """Converts the videos, and returns 1 if a video was left out."""
    programs.print_any_name()
    try:
        manifest = prepare(flags.config_from_flags(PreparationConfig))
    except KeyboardInterrupt:
        sys.exit("Stopped: rerun the same command to resume.")
    print(report(manifest))
    lost = any(part["is_fault"] for part in manifest["left_out"])
    return 1 if manifest["failures"] or lost else 0
