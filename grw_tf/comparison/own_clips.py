"""Settings of a small comparison on a folder of videos."""

from pathlib import Path
from typing import Any

from grw_tf.common.checks import check_positive
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import PreparationConfig, prepare


def own_clips_settings(
    folder: str,
    records: Path,
    *,
    frames: int,
    fps: float,
    size: int,
    epochs: int,
    batch_size: int,
    init_checkpoint: str = "",
) -> tuple[dict[str, Any], str]:
    """Prepares records of videos, unless they are there, and plans a training on them.

    Args:
        folder: Folder of class folders of videos, within split folders or not.
        records: Folder of the records.
        frames: Frames in a clip.
        fps: Frames per second of a clip.
        size: Height and width of a frame, in pixels.
        epochs: Passes over the training clips.
        batch_size: Clips in a batch.
        init_checkpoint: The checkpoint to start from, or "" for random weights.

    Returns:
        What overrides own_clips.yaml, and the records to compare on.

    Raises:
        ValueError: If a number is not above 0, the folder is not one of class folders,
            a split lacks a class, or there are fewer training clips than a batch.
        OSError: If something cannot be read or written.
    """
    check_positive(
        frames=frames, fps=fps, size=size, epochs=epochs, batch_size=batch_size
    )
    manifest = prepare(
        PreparationConfig(input=folder, output_dir=str(records), fps=fps)
    )
    print(report(manifest), flush=True)
    splits = manifest["splits"]
    test = "test" if "test" in splits else "validation"
    validation = "validation" if "validation" in splits else test
    for split in ("train", test):
        classes = splits.get(split, {}).get("classes", {})
        lacking = [name for name, clips in classes.items() if not clips]
        if lacking or not classes:
            raise ValueError(f"{folder} has no {split} videos of {lacking}.")
    steps = epochs * splits["train"]["clips"] // batch_size
    if not steps:
        raise ValueError(
            f"{folder} has {splits['train']['clips']} training videos, fewer"
            f" than a batch of {batch_size}: lower batch_size."
        )
    interval = max(1, steps // 5)
    loop = min(10, interval)
    data = {
        f"{key}_data": {
            "input_path": f"{records}/{split}-*.tfrecord",
            "global_batch_size": batch_size,
        }
        for key, split in (("train", "train"), ("validation", validation))
    }
    task = {
        "init_checkpoint": init_checkpoint,
        # Random weights have nothing to keep.
        "unfreeze_step": steps // 10 if init_checkpoint else 0,
        "freeze_batch_norm": bool(init_checkpoint),
        "model": {
            "num_classes": len(splits["train"]["classes"]),
            "frames": frames,
            "fps": fps,
            "size": size,
            "smoothing": {"window": min(6, frames)},
        },
    }
    trainer = {
        "train_steps": steps,
        "steps_per_loop": loop,
        "summary_interval": loop,
        "checkpoint_interval": interval,
        "validation_interval": interval,
    }
    test_records = f"{records}/{test}-*.tfrecord"
    return {"task": task | data, "trainer": trainer}, test_records
