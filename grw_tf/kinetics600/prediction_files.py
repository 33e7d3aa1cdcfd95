"""Stores the predictions of a long run in files that are complete or absent.

Each file holds some of the videos, which depend only on its number. Runs that share the
work, or resume it, therefore end with the same files.
"""

import dataclasses
import json
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from grw_tf.common.json_file import write_json
from grw_tf.common.replacing import replacing
from grw_tf.data.preparation.work_folder import refuse_another

PLAN_FILE = "plan.json"
_FOLDER = "predictions"
_ARRAYS = ("logits", "videos", "too_short")
_DAMAGES = (EOFError, KeyError, ValueError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True, eq=False)
class PredictedClips:
    """Logits of the clips of some videos.

    Attributes:
        logits: float32 [clips, classes].
        videos: int64 [clips], positions in the list of videos, in its order. A video
            may have several clips or none.
        too_short: bool [clips], whether the video of the clip is too short.
        dropped: Positions of videos that were too short and have no clip.
        unreadable: By position, why videos were left out.
    """

    logits: np.ndarray
    videos: np.ndarray
    too_short: np.ndarray
    dropped: tuple[int, ...]
    unreadable: dict[int, str]


class PredictionFiles:
    """The files of a run, in its output folder.

    Args:
        folder: The output folder, created if it does not exist.
        plan: Identifies the run: `settings`, `videos` (their number) and
            `videos_sha256`, as in `grw_tf.data.preparation.work_folder`.
        sizes: Bytes of each video. The files of changed videos count as missing.
        videos_per_file: Number of videos of a file.

    Raises:
        ValueError: If the folder belongs to another run.
        OSError: If it cannot be read or written.
    """

    def __init__(
        self, folder: Path, plan: dict, sizes: Sequence[int], videos_per_file: int
    ):
        self._folder = folder / _FOLDER
        self._sizes = np.asarray(sizes, np.int64)
        self._per_file = videos_per_file
        path = folder / PLAN_FILE
        if path.exists():
            refuse_another(plan, json.loads(path.read_text()), folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_json(path, plan)

    def __len__(self):
        """Returns the number of files of the whole run."""
        return -(-len(self._sizes) // self._per_file)

    def missing(self) -> list[int]:
        """Returns the numbers of the files that are missing or no longer valid."""
        return [number for number in range(len(self)) if not self._is_good(number)]

    def videos(self, number: int) -> range:
        """Returns the positions of the videos of a file."""
        start = number * self._per_file
        return range(start, min(start + self._per_file, len(self._sizes)))

    def write(self, number: int, predicted: PredictedClips) -> None:
        """Writes a file."""
        arrays = {name: getattr(predicted, name) for name in _ARRAYS}
        left_out = {"dropped": predicted.dropped, "unreadable": predicted.unreadable}
        with replacing(self._path(number)) as unfinished, unfinished.open("wb") as file:
            np.savez(
                file,
                left_out=np.array(json.dumps(left_out)),
                sizes=self._sizes[self.videos(number)],
                **arrays,
            )

    def read(self) -> PredictedClips:
        """Reads all files as one.

        Raises:
            ValueError: If one is damaged.
            OSError: If one cannot be read.
        """
        parts = [self._read(number) for number in range(len(self))]
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in _ARRAYS
        }
        dropped = tuple(video for part in parts for video in part.dropped)
        unreadable = {k: v for part in parts for k, v in part.unreadable.items()}
        return PredictedClips(**arrays, dropped=dropped, unreadable=unreadable)

    def _path(self, number):
        return self._folder / f"{number:05d}.npz"

    def _is_good(self, number):
        path = self._path(number)
        if not path.exists():
            return False
        try:
            with np.load(path) as file:
                good = np.array_equal(file["sizes"], self._sizes[self.videos(number)])
                reason = "its videos have changed"
        except _DAMAGES:
            good, reason = False, "it is damaged"
        if not good:
            logging.warning("%s will be made again: %s.", path, reason)
        return good

    def _read(self, number):
        path = self._path(number)
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in _ARRAYS}
                left_out = json.loads(str(file["left_out"]))
        except _DAMAGES:
            raise ValueError(
                f"{path} is damaged: remove it and run the same command again."
            ) from None
        unreadable = {int(k): v for k, v in left_out["unreadable"].items()}
        return PredictedClips(
            **arrays, dropped=tuple(left_out["dropped"]), unreadable=unreadable
        )
