"""Classifies whole clips by an exported model."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from grw_tf.common.error_text import one_line
from grw_tf.frames.choice import repeat_last
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.streaming.answers import check_thresholds, likeliest, reaching
from grw_tf.streaming.exported_file import read_clip_file, warn_of_mismatch
from grw_tf.streaming.frame_check import check_frame
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.model_check import check_model
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.none_of_these import read_none_of_these, refuse_several_labels
from grw_tf.streaming.runners import check_threads
from grw_tf.streaming.signature_names import CLASSIFY_CLIP, IMAGE, LOGITS


class ClipClassifier:
    """Classifies clips by the exported file of a model that cannot be streamed.

        with ClipClassifier("model.tflite") as classifier:
            # `classifier.frames` frames, `classifier.fps` of them a second:
            # uint8 [height, width, 3], RGB, of any size
            print(classifier.top(frames, 3))

    A classifier must not be used by several threads at once.

    Args:
        path: An exported file.
        num_threads: Number of threads.

    Attributes:
        labels: Names of the classes.
        thresholds: The scores from which `named` names the classes of a model with
            several labels; None for a model with a softmax.
        scores: The function from logits [num_classes] to what `classify` returns:
            probabilities, or sigmoids.
        manifest: The file's manifest.
        geometry: How frames are prepared, a `grw_tf.frames.geometry.FrameGeometry`.
        size: Height and width in pixels of the frames that the model sees.
        fps: Frames per second that the model sees.
        frames: Frames of a clip.
        none_of_these: When an answer counts, a `NoneOfThese`.

    Raises:
        OSError: If the file is not there, or cannot be read.
        ValueError: If it does not classify clips or is damaged, or an argument is
            invalid.
    """

    def __init__(self, path: str | os.PathLike, num_threads: int = 1) -> None:
        exported = read_clip_file(path)
        check_threads(num_threads)
        check_model(exported)
        self.none_of_these = read_none_of_these(
            exported.path, exported.labels, exported.manifest
        )
        self.labels = exported.labels
        self.thresholds = exported.thresholds
        self.scores = exported.scores
        self.manifest = exported.manifest
        self.geometry = exported.geometry
        self.size = self.geometry.size
        self.fps = self.manifest["fps"]
        self.frames = self.manifest["window"]
        self._path = exported.path
        self._prepare = FramePreparation(self.geometry)
        taken = self.manifest["input"]
        self._image = np.zeros(taken["shape"], taken["dtype"])
        # None once the classifier is closed.
        self._run: Any = _opened(exported.path, num_threads, self._image)
        warn_of_mismatch(exported)

    def __enter__(self) -> "ClipClassifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def classify(
        self, frames: Sequence[np.ndarray], prepared: bool = False
    ) -> np.ndarray:
        """Returns the probabilities [num_classes] of a clip.

        For a model with several labels, they are the sigmoid of each class.

        Args:
            frames: `frames` of them, each uint8 [height, width, 3], RGB, upright, of
                any size. They are resized and cropped as in evaluation. If there are
                fewer, the last is repeated, as in training.
            prepared: Whether they are resized and cropped already, to uint8
                [size, size, 3].

        Raises:
            ValueError: For no frames or more, or frames of another kind, or if the
                classifier is closed.
        """
        return self.scores(self.logits(frames, prepared))

    def logits(
        self, frames: Sequence[np.ndarray], prepared: bool = False
    ) -> np.ndarray:
        """Returns the logits [num_classes] of a clip.

        Args:
            frames: As of `classify`.
            prepared: As of `classify`.

        Raises:
            ValueError: As `classify`.
        """
        if self._run is None:
            raise ValueError(f"The classifier of {self._path} is closed: open another.")
        if not 1 <= len(frames) <= self.frames:
            raise ValueError(
                f"A clip of this model has {self.frames} frames, {self.fps:g} of them a"
                f" second, got {len(frames)}: give 1 to {self.frames}, and a longer"
                " video clip by clip."
            )
        seen = [self._seen(frame, prepared) for frame in frames]
        for place, frame in zip(
            self._image[0], repeat_last(seen, self.frames), strict=True
        ):
            if place.dtype == np.uint8:
                place[:] = frame
            else:
                np.divide(frame, np.float32(255), out=place)
        return self._run(**{IMAGE: self._image})[LOGITS][0].copy()

    def top(
        self, frames: Sequence[np.ndarray], k: int = 3, prepared: bool = False
    ) -> list[tuple[str, float]]:
        """Returns a clip's k likeliest classes as (name, probability), likeliest first.

        Args:
            frames: As of `classify`.
            k: Number of classes; all of them if there are fewer.
            prepared: As of `classify`.

        Raises:
            ValueError: As `classify`, or if k is below 1.
        """
        return likeliest(self.labels, self.classify(frames, prepared), k)

    def named(
        self, frames: Sequence[np.ndarray], prepared: bool = False
    ) -> list[tuple[str, float]]:
        """Returns the classes whose sigmoids reach their thresholds, best score first.

        They are pairs (name, score): none, one or several.

        Args:
            frames: As of `classify`.
            prepared: As of `classify`.

        Raises:
            ValueError: As `classify`, or if the file's model has a softmax, which has
                no thresholds.
        """
        thresholds = check_thresholds(self._path, self.thresholds)
        return reaching(self.labels, self.classify(frames, prepared), thresholds)

    def answer(
        self, frames: Sequence[np.ndarray], prepared: bool = False
    ) -> tuple[str | None, float]:
        """Returns a clip's likeliest class and its score; see `StreamSession.answer`.

        Args:
            frames: As of `classify`.
            prepared: As of `classify`.

        Raises:
            ValueError: As `classify`, or if the model has several labels at once.
        """
        refuse_several_labels(self._path, self.manifest)
        return self.none_of_these.answer(self.logits(frames, prepared))

    def close(self) -> None:
        """Releases the model; closing twice is harmless."""
        self._run = None

    def _seen(self, frame, prepared):
        check_frame(frame)
        if not prepared:
            return self._prepare(frame)
        if frame.shape[:2] != (self.size, self.size):
            raise ValueError(
                f"A prepared frame must be {[self.size, self.size, 3]}, got"
                f" {list(frame.shape)}: leave prepared at False for others."
            )
        return frame


def _opened(path, num_threads, image):
    """Returns a function that runs a model, after a trial run."""
    try:
        interpreter = make_interpreter(path, num_threads=num_threads)
        # LiteRT writes messages at the first run.
        with silenced():
            run = interpreter.get_signature_runner(CLASSIFY_CLIP)
            run(**{IMAGE: image})
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be run ({one_line(error)}): it is damaged, or needs a newer"
            " ai-edge-litert, or more memory."
        ) from None
    return run
