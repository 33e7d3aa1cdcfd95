"""Settings of a small comparison on a folder of videos."""

import dataclasses
from pathlib import Path
from typing import Any

from grw_tf.common.checks import check_positive
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import PreparationConfig, prepare


@dataclasses.dataclass(frozen=True)
class OwnClips:
    """Clips of a folder, and how a model is trained on them.

    Attributes:
        folder: Folder of class folders of videos, within split folders or not.
        frames: Frames in a clip.
        fps: Frames per second of a clip.
        size: Height and width of a frame, in pixels.
        epochs: Passes over the training clips.
        batch_size: Clips in a batch.
        init_checkpoint: The checkpoint to start from, or "" for random weights.

    Raises:
        ValueError: At construction, if a number is not above 0.
    """

    folder: str
    frames: int
    fps: float
    size: int
    epochs: int
    batch_size: int
    init_checkpoint: str = ""

    def __post_init__(self):
        check_positive(
            frames=self.frames,
            fps=self.fps,
            size=self.size,
            epochs=self.epochs,
            batch_size=self.batch_size,
        )

    def settings(self, records: Path) -> tuple[dict[str, Any], str]:
        """Prepares records in a folder, unless they are there, and plans the training.

        Returns:
            What overrides own_clips.yaml, and the records to compare on.

        Raises:
            ValueError: If the folder is not one of class folders, a split lacks a
                class, or there are fewer training clips than a batch.
            OSError: If something cannot be read or written.
        """
        manifest = prepare(
            PreparationConfig(input=self.folder, output_dir=str(records), fps=self.fps)
        )
        print(report(manifest), flush=True)
        splits = manifest["splits"]
        test = "test" if "test" in splits else "validation"
        validation = "validation" if "validation" in splits else test
        for split in ("train", test):
            classes = splits.get(split, {}).get("classes", {})
            lacking = [name for name, clips in classes.items() if not clips]
            if lacking or not classes:
                raise ValueError(f"{self.folder} has no {split} videos of {lacking}.")
        steps = self.epochs * splits["train"]["clips"] // self.batch_size
        if not steps:
            raise ValueError(
                f"{self.folder} has {splits['train']['clips']} training videos, fewer"
                f" than a batch of {self.batch_size}: lower batch_size."
            )
        interval = max(1, steps // 5)
        loop = min(10, interval)
        data = {
            f"{key}_data": {
                "input_path": f"{records}/{split}-*.tfrecord",
                "global_batch_size": self.batch_size,
            }
            for key, split in (("train", "train"), ("validation", validation))
        }
        task = {
            "init_checkpoint": self.init_checkpoint,
            # Random weights have nothing to keep.
            "unfreeze_step": steps // 10 if self.init_checkpoint else 0,
            "freeze_batch_norm": bool(self.init_checkpoint),
            "model": {
                "num_classes": len(splits["train"]["classes"]),
                "frames": self.frames,
                "fps": self.fps,
                "size": self.size,
                "smoothing": {"window": min(6, self.frames)},
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
