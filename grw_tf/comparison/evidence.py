"""Kept evidence: slim reports of comparisons, joined over their seeds.

A comparison of hours may be made in parts, some seeds each. `keep` files the report of
each part under the comparison's name; `read_evidence` joins them.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grw_tf.common.json_file import write_json
from grw_tf.comparison.differences import compare_all
from grw_tf.comparison.findings import FINISHED, MetricFound
from grw_tf.comparison.right_clips import unpack
from grw_tf.evaluation.paired_statistics import ClipDifference
from grw_tf.training.experiments.parsing import leaves

FOLDER = "evidence"
"""Folder of the evidence, beside the pages that show it."""

# All numbers can be computed from the runs; pictures and curves stay in the report.
_KEPT = (
    *("written", "variants", "runs", "test", "costs", "remarks"),
    *("experiment", "config", "versions"),
)
_SHARED = ("experiment", "config", "variants", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class KeptRun:
    """A finished run of a kept report: its numbers, and its right clips [clips]."""

    numbers: Mapping[str, Any]
    right: np.ndarray

    def value(self, key: str) -> float | None:
        """Returns a metric by its key, or None if it was not measured."""
        return self.numbers.get(key)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """A comparison, joined from its kept reports.

    Attributes:
        name: The comparison's name.
        files: The kept reports.
        variants: The names of the variants, the baseline first.
        seeds: All seeds.
        test_clips: The number of test clips.
        metrics: Metrics by key, by variant.
        clips: Differences paired by clip, by variant except the baseline.
    """

    name: str
    files: tuple[Path, ...]
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    test_clips: int
    metrics: dict[str, dict[str, MetricFound]]
    clips: dict[str, ClipDifference | None]


def keep(report: str | os.PathLike, docs: str | os.PathLike, name: str) -> Path:
    """Files the slim copy of a report under a comparison's name.

    The copy has no pictures, curves or command line, and of each path only the last two
    parts: the rest is of the machine. It replaces an earlier one of the same seeds.

    Args:
        report: A report.json of `grw-compare`.
        docs: The folder of the pages.
        name: The name of the comparison, a word.

    Returns:
        The path of the copy.

    Raises:
        ValueError: If the name is no word, the report has no finished run, or it is of
            another comparison than those kept by that name.
        OSError: If a file cannot be read or written.
    """
    if not name.replace("-", "_").isidentifier():
        raise ValueError(f"name is {name!r:.80}: give a word, as utd or shrec-10.")
    found = _read(Path(report))
    slim = {key: _without_machine(found[key]) for key in _KEPT}
    slim["runs"] = [run for run in slim["runs"] if run["state"] == FINISHED]
    if not slim["runs"]:
        raise ValueError(f"{report} has no finished run: there is nothing to keep.")
    for run in slim["runs"]:
        del run["folder"]
    seeds = sorted({run["seed"] for run in slim["runs"]})
    path = Path(docs) / FOLDER / name / f"seeds_{'_'.join(map(str, seeds))}.json"
    others = {p: _read(p) for p in sorted(path.parent.glob("*.json")) if p != path}
    _check_parts(name, others | {path: slim})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, slim)
    return path


def read_evidence(docs: str | os.PathLike) -> dict[str, Evidence]:
    """Returns all comparisons that are kept beside some pages, by name.

    Raises:
        ValueError: If a report is broken, or reports by one name are of different
            comparisons or share a seed.
        OSError: If a file cannot be read.
    """
    folders = sorted(path for path in (Path(docs) / FOLDER).glob("*") if path.is_dir())
    return {folder.name: _join(folder) for folder in folders}


def _join(folder):
    parts = {path: _read(path) for path in sorted(folder.glob("*.json"))}
    if not parts:
        raise ValueError(f"{folder} holds no report: remove it.")
    _check_parts(folder.name, parts)
    first = next(iter(parts.values()))
    names = [variant["name"] for variant in first["variants"]]
    clips = first["test"]["clips"]
    outcomes = {
        (run["variant"], run["seed"]): KeptRun(run, unpack(run["right"], clips))
        for part in parts.values()
        for run in part["runs"]
    }
    seeds = sorted({seed for _, seed in outcomes})
    metrics, over_clips = compare_all(names, seeds, outcomes)
    return Evidence(
        name=folder.name,
        files=tuple(parts),
        variants=tuple(names),
        seeds=tuple(seeds),
        test_clips=clips,
        metrics=metrics,
        clips=over_clips,
    )


def _check_parts(name: str, parts: Mapping[Path, dict]) -> None:
    """Raises a ValueError if reports are no parts of one comparison."""
    first = next(iter(parts))
    expected = dict(leaves(_shared(parts[first])))
    holders: dict[tuple[str, int], Path] = {}
    for path, part in parts.items():
        found = dict(leaves(_shared(part)))
        for key in expected | found:
            if expected.get(key) != found.get(key):
                raise ValueError(
                    f"{path} is of another comparison than {first}: {key} is"
                    f" {found.get(key)!r:.80}, not {expected.get(key)!r:.80}; keep it"
                    f" by another name than {name}."
                )
        for run in part["runs"]:
            other = holders.setdefault((run["variant"], run["seed"]), path)
            if other != path:
                raise ValueError(
                    f"{other} and {path} both have seed {run['seed']} of"
                    f" {run['variant']}: remove one of them."
                )


def _shared(part):
    """Returns what all parts of a comparison share, by key."""
    variants = {variant["name"]: variant for variant in part["variants"]}
    return {key: part[key] for key in _SHARED} | {"variants": variants}


def _read(path):
    try:
        found = json.loads(path.read_text())
    except ValueError:
        raise ValueError(f"{path} is broken: keep the report again.") from None
    lacking = sorted({*_KEPT} - {*found}) if isinstance(found, dict) else ["all"]
    if lacking:
        raise ValueError(
            f"{path} is no report of grw-compare, as it lacks"
            f" {', '.join(lacking)}: run grw-compare again to write it anew."
        )
    return found


def _without_machine(value: Any) -> Any:
    """Returns JSON whose paths have only their last two parts."""
    if isinstance(value, Mapping):
        return {key: _without_machine(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_machine(inner) for inner in value]
    if isinstance(value, str) and value.startswith(("/", "~", ".")):
        paths = [Path(path).parts[-2:] for path in value.split(",")]
        return ",".join("/".join(path) for path in paths)
    return value
