"""Decides whether a file may be written."""

import logging
from typing import Any

from grw_tf.export.quantization.quantize import AUTO


def judge_parity(report: Any, allow_mismatch: bool) -> None:
    """Decides by the comparison of a file with its model.

    Args:
        report: What was exported, with `parity`, `file` and `table()`.
        allow_mismatch: Whether to warn rather than raise.

    Raises:
        ValueError: If the file does not give the model's numbers.
    """
    if report.parity.passed:
        return
    failures = "; ".join(report.parity.failures)
    if not allow_mismatch:
        print(report.table(), flush=True)
        raise ValueError(
            f"The file does not give the model's numbers, and was not written:"
            f" {failures}. Leave --quantization at {AUTO}, which looks for the smallest"
            " file that does, or write this one with a warning inside with"
            " --allow_mismatch."
        )
    logging.warning("%s does not give the model's numbers: %s", report.file, failures)
