"""Variants of a training, each over seeds: a study that can be killed and run again."""

import dataclasses
import json
import pathlib
import time
from collections.abc import Callable, Iterable

import numpy as np

from grw_tf.common.replacing import replacing


def run_study(
    file,
    settings: dict,
    variants: Iterable[str],
    seeds: Iterable[int],
    run: Callable,
    table: Callable,
):
    """Runs what a file of results lacks, and writes it after each run.

    Seeds are outermost, and after each the table is printed, so that one of fewer seeds
    is fair at any time.

    Args:
      file: the JSON file; runs found there are not repeated.
      settings: what all runs share, as JSON has it.
      variants: names.
      seeds: whole numbers, at least one.
      run: function from a variant, a seed and a title to a dict of numbers.
      table: function from results to text.

    Returns:
      The results, a list over seeds of dicts of numbers for each variant.

    Raises:
      ValueError: if the file is of another study.
    """
    file, variants, seeds = pathlib.Path(file), list(variants), list(seeds)
    found = _read(file, settings)
    total = sum(
        str(seed) not in found.get(name, {}) for seed in seeds for name in variants
    )
    start, done = time.monotonic(), 0
    for number, seed in enumerate(seeds, start=1):
        for name in variants:
            runs = found.setdefault(name, {})
            if str(seed) in runs:
                continue
            title = f"{name}, seed {seed} ({done + 1} of {total})"
            runs[str(seed)] = run(name, seed, title)
            _write(file, settings, found)
            done += 1
            left = (time.monotonic() - start) / done * (total - done)
            print(f"{title} has ended; {left / 60:.1f} min left", flush=True)
        results = {
            name: [found[name][str(seed)] for seed in seeds[:number]]
            for name in variants
        }
        print(f"\n{table(results)}\n", flush=True)
    return results


def shared_settings(config, varied: Iterable[str]) -> dict:
    """Returns a demo's settings but for its folders and those that its runs vary."""
    settings = dataclasses.asdict(config)
    for name in ("data_dir", "output_dir", *varied):
        del settings[name]
    return settings


def mean_and_spread(values):
    """Returns "mean ± standard deviation" of numbers, or the only one."""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def markdown_table(header, rows):
    """Returns a table in Markdown.

    Args:
      header: words over the columns.
      rows: of words, the first of each names it.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(file, settings):
    if not file.exists():
        return {}
    content = json.loads(file.read_text())
    if content.get("settings") != settings:
        raise ValueError(
            f"{file} is of a study with other settings: choose another output_dir, or"
            " remove that one."
        )
    return content["runs"]


def _write(file, settings, found):
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as unfinished:
        content = {"settings": settings, "runs": found}
        unfinished.write_text(json.dumps(content, indent=1))
