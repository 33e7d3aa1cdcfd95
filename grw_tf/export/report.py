"""The report beside an exported file."""

import json
from pathlib import Path
from typing import Any

from grw_tf.common.replacing import replacing
from grw_tf.export.operations import Partitions

REPORT_FILE = "export_report.json"


def graph_rows(
    operations: dict[str, int], partitions: Partitions
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Returns the rows of a report's table on a file's graph, as names and texts."""
    most = list(operations.items())[:4]
    listed = ", ".join(f"{number} {name}" for name, number in most)
    return (
        ("operations", f"{partitions.operations} ({listed}, ...)"),
        (
            "XNNPACK partitions",
            f"{partitions.partitions}, {partitions.outside} operations outside",
        ),
    )


def write_report(output: Path, report: Any) -> None:
    """Writes a report, with `to_dict()`, beside the file that it is about."""
    with replacing(output.parent / REPORT_FILE) as unfinished:
        unfinished.write_text(json.dumps(report.to_dict(), indent=2) + "\n")


def short_name(checkpoint: str) -> str:
    """Returns the last parts of a path, to be written into a file for others."""
    return "/".join(Path(checkpoint).parts[-2:])
