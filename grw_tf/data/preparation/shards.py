"""Joins records of single clips into the shards of a split."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from grw_tf.common.fingerprint import file_sha256
from grw_tf.common.replacing import replacing


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file and the records that are joined into it and then removed."""

    path: Path
    split: str
    records: tuple[Path, ...]

    def __str__(self):
        return self.path.name


def plan_shards(
    folder: Path, split: str, records: Sequence[Path], clips_per_shard: int
) -> list[Shard]:
    """Divides records evenly, in order, into as few shards as possible."""
    total = len(records)
    count = -(-total // clips_per_shard)
    return [
        Shard(
            folder / f"{split}-{index:05d}-of-{count:05d}.tfrecord",
            split,
            tuple(records[total * index // count : total * (index + 1) // count]),
        )
        for index in range(count)
    ]


def join(shard: Shard) -> dict:
    """Writes a shard unless it exists, and describes it for the manifest.

    Raises:
        OSError: If it cannot be written.
    """
    if not shard.path.exists():
        # The folder of the records is temporary and on the same disk.
        with (
            replacing(shard.path, shard.records[0].parent) as path,
            path.open("wb") as joined,
        ):
            for record in shard.records:
                with record.open("rb") as file:
                    shutil.copyfileobj(file, joined)
    for record in shard.records:
        record.unlink(missing_ok=True)
    return {
        "file": shard.path.name,
        "clips": len(shard.records),
        "bytes": shard.path.stat().st_size,
        "sha256": file_sha256(shard.path),
    }
