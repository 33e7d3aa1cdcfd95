"""Keeps the folder of an unfinished run, and resumes only the same run."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from grw_tf.common.file_lock import locked
from grw_tf.common.json_file import write_json
from grw_tf.data.records.sequence_examples import MANIFEST_FILE

_PLAN = "plan.json"


@contextlib.contextmanager
def work_folder(output: Path, plan: dict) -> Iterator[Path]:
    """Yields a folder for this run alone. It remains as long as there is work left.

    Args:
        output: Folder of the records. The yielded folder is `unfinished` in it.
        plan: `settings`, `videos` and `videos_sha256`, which identify the run. A
            finished run has them in its manifest.

    Raises:
        ValueError: If another run is writing to `output`, or a run with another plan
            began or finished there.
        OSError: If the folder cannot be written to.
    """
    work = output / "unfinished"
    work.mkdir(parents=True, exist_ok=True)
    busy = ValueError(f"Another run is writing to {output}: wait for its end.")
    with locked(work / "lock", busy):
        try:
            _take(work, output, plan)
            yield work
        finally:
            if (output / MANIFEST_FILE).exists() or not (work / _PLAN).exists():
                shutil.rmtree(work)


def refuse_another(plan: dict, other: dict, output: Path) -> None:
    """Checks that a folder belongs to this run.

    Args:
        plan: Plan of this run, as for `work_folder`.
        other: Plan of the run in the folder.
        output: The folder.

    Raises:
        ValueError: If the plans differ. It names the differences.
    """
    settings = other.get("settings", {})
    differing = [
        f"{name} {settings.get(name)}, not {value}"
        for name, value in plan["settings"].items()
        if settings.get(name) != value
    ]
    if not differing and plan["videos_sha256"] != other.get("videos_sha256"):
        differing = [
            f"{other.get('videos')} videos, not these {plan['videos']}, or with other"
            " sizes, classes or splits"
        ]
    if differing:
        raise ValueError(
            f"{output} was begun with {'; '.join(differing)}: give another --output_dir"
            ", or remove it."
        )


def _take(work, output, plan):
    known = [path for path in (output / MANIFEST_FILE, work / _PLAN) if path.exists()]
    for path in known:
        refuse_another(plan, json.loads(path.read_text()), output)
    foreign = sorted(file.name for file in output.glob("*.tfrecord"))
    if foreign and not known:
        raise ValueError(
            f"{output} holds records of another run, as {foreign[0]}: give another"
            " --output_dir."
        )
    if not known:
        write_json(work / _PLAN, plan)
