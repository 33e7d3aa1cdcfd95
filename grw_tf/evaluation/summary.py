"""Mean and spread of the results of runs that differ in their seed alone."""

import glob
import json
from collections.abc import Sequence

import numpy as np


def summarize(patterns: Sequence[str]) -> str:
    """Returns a Markdown table, a row for each pattern: mean ± standard deviation.

    Args:
      patterns: of results.json files of `evaluate`, those of a pattern one set of runs.

    Raises:
      ValueError: if no file matches a pattern, or one holds no results.
    """
    rows = {pattern: _summary(pattern) for pattern in patterns}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [
        f"| runs | {' | '.join(columns)} |",
        f"|{'---|' * (len(columns) + 1)}",
    ]
    for pattern, row in rows.items():
        cells = [row.get(name, "") for name in columns]
        lines.append(f"| {pattern} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _summary(pattern):
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise ValueError(f"No file matches {pattern}: expected results.json files.")
    results = [_numbers(path) for path in paths]
    names = [name for name in results[0] if all(name in one for one in results)]
    row = {"number": str(len(paths))}
    for name in names:
        values = np.array([one[name] for one in results])
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        row[name] = f"{values.mean():.3f}{spread}"
    return row


def _numbers(path):
    try:
        with open(path) as file:
            results = json.load(file)
        numbers = {"accuracy": results["top_1"], "macro-F1": results["macro_f1"]}
        if streaming := results.get("streaming"):
            curve = streaming["accuracy_after_each_frame"]
            for share in (0.25, 0.5, 0.75):
                numbers[f"after {share:.0%} of the frames"] = curve[
                    round(share * len(curve)) - 1
                ]
            numbers["label changes/s"] = streaming["label_changes_per_second"]
            numbers["mean abs. change of p"] = streaming["probability_change"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no results of evaluate: {error!r}.") from None
    return numbers
