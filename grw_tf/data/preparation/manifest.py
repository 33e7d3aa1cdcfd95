"""Describes a folder of records, for its manifest and as text."""

import collections
from collections.abc import Mapping, Sequence

from grw_tf.common.first_few import first_few
from grw_tf.common.text_table import text_table
from grw_tf.data.listing.left_out import LEFT_OUT_FILE
from grw_tf.data.listing.left_out import describe as describe_left_out
from grw_tf.data.listing.video_list import Video

# Videos left out that the text names; the manifest names all.
_SHOWN = 100


def describe(
    videos: Sequence[Video],
    labels: Sequence[str],
    outcomes: Sequence[int | str],
    shards: Mapping[str, list[dict]],
) -> dict:
    """Counts clips and frames by split and class.

    Args:
        videos: All videos listed.
        labels: Names of the classes, in order.
        outcomes: For each video, its number of frames or why it is left out.
        shards: Descriptions of the files of each split.

    Returns:
        `splits` and `failures`. Each split, by name, has `clips`, `frames`, `shards`,
        `classes` (clips of each class) and `majority_share` (the share of clips of the
        commonest class: the accuracy of always guessing it, if each has one class).
        Clips without a class, where there may be some, are counted as `without_class`.
        Each failure has path, split, label and reason.
    """
    splits = {}
    for split, files in shards.items():
        kept = [
            (video.labels, frames)
            for video, frames in zip(videos, outcomes, strict=True)
            if video.split == split and isinstance(frames, int)
        ]
        classes = collections.Counter(label for names, _ in kept for label in names)
        splits[split] = {
            "clips": len(kept),
            "frames": sum(frames for _, frames in kept),
            "majority_share": round(max(classes.values(), default=0) / len(kept), 4),
            "classes": {label: classes[label] for label in labels},
            **(
                {"without_class": without}
                if (without := sum(not names for names, _ in kept))
                else {}
            ),
            "shards": files,
        }
    failures = [
        dict(path=video.name, split=video.split, label=video.label, reason=reason)
        for video, reason in zip(videos, outcomes, strict=True)
        if isinstance(reason, str)
    ]
    failures.sort(key=lambda failure: failure["path"])
    return {"splits": splits, "failures": failures}


def report(manifest: dict) -> str:
    """Returns a table of the splits, and the videos and other files left out."""
    rows: list[tuple] = [
        ("split", "clips", "frames", "shards", "MB", "commonest class")
    ]
    lines = []
    for split, counts in manifest["splits"].items():
        megabytes = sum(shard["bytes"] for shard in counts["shards"]) / 1e6
        commonest = max(counts["classes"], key=counts["classes"].get)
        rows.append(
            (
                *(split, counts["clips"], counts["frames"], len(counts["shards"])),
                f"{megabytes:.1f}",
                f"{commonest} ({counts['majority_share']:.0%})",
            )
        )
        empty = [label for label, clips in counts["classes"].items() if not clips]
        if without := counts.get("without_class"):
            lines.append(f"{split} has {without} clips of no class.")
        if empty:
            lines.append(f"{split} has no clips of {first_few(empty, 10)}.")
    if manifest["splits"]:
        lines.insert(0, text_table(rows, "<>>>><"))
    failures = manifest["failures"]
    if failures:
        lines.append(f"\n{len(failures)} of {manifest['videos']} videos are left out:")
        reasons = text_table([(f["path"], f["reason"]) for f in failures], "<")
        shown = reasons.split("\n")
        lines += shown[:_SHOWN]
        if len(shown) > _SHOWN:
            lines.append(f"and {len(shown) - _SHOWN} more")
    if left_out := manifest.get("left_out"):
        lines.append(f"\nNot taken from the input folder; {LEFT_OUT_FILE} lists all:")
        lines.append(describe_left_out(left_out, "\n"))
    return "\n".join(lines)
