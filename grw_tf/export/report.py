"""The report beside an exported file."""

import json
from pathlib import Path
from typing import Any

from grw_tf.common.replacing import replacing

REPORT_FILE = "export_report.json"


def write_report(output: Path, report: Any) -> None:
    """Writes a report, with `to_dict()`, beside the file that it is about."""
    with replacing(output.parent / REPORT_FILE) as unfinished:
        unfinished.write_text(json.dumps(report.to_dict(), indent=2) + "\n")


def short_name(checkpoint: str) -> str:
    """Returns the last parts of a path, to be written into a file for others."""
    return "/".join(Path(checkpoint).parts[-2:])
