"""A stream of frames through an exported model."""

import json
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter


class StreamSession:
    """Classifies a video frame by frame.

    Args:
      path: a file of `grw_tf.export`.
      num_threads: threads of the interpreter.

    Attributes:
      labels: names of the classes.
      size: height and width of a frame, in pixels.
      fps: frames a second the model was trained at.

    Raises:
      ValueError: if the file is not one of this project's exports.
    """

    def __init__(self, path, num_threads=1):
        try:
            with zipfile.ZipFile(path) as archive:
                self.labels = archive.read("labels.txt").decode().splitlines()
                config = json.loads(archive.read("manifest.json"))["model"]
        except (zipfile.BadZipFile, KeyError):
            raise ValueError(
                f"{path} carries no labels and manifest: it is not an export of grw_tf."
            ) from None
        self.size = config["size"]
        self.fps = config["fps"]
        interpreter = Interpreter(str(path), num_threads=num_threads)
        self._step = interpreter.get_signature_runner("step")
        on_demand = "classify" in interpreter.get_signature_list()
        self._classify = (
            interpreter.get_signature_runner("classify") if on_demand else None
        )
        self.reset()

    def reset(self):
        """Forgets all frames."""
        self._logits = None
        self._has_frames = False
        self._states = {
            name: np.zeros(detail["shape"], detail["dtype"])
            for name, detail in self._step.get_input_details().items()
            if name != "image"
        }

    def push(self, frame):
        """Takes the next frame, uint8 [size, size, 3], RGB.

        Raises:
          ValueError: for a frame of another shape or type.
        """
        expected = (self.size, self.size, 3)
        if frame.shape != expected or frame.dtype != np.uint8:
            raise ValueError(
                f"A frame must be uint8 {expected}, got {frame.dtype} {frame.shape}."
            )
        image = (frame[None, None] / 255).astype(np.float32)
        outputs = self._step(image=image, **self._states)
        self._logits = outputs.pop("logits", None)
        self._states = outputs
        self._has_frames = True

    def logits(self):
        """Returns the logits [num_classes] of the frames pushed so far.

        Raises:
          ValueError: if no frame was pushed since the start or `reset`.
        """
        if self._logits is None:
            if not self._has_frames:
                raise ValueError("Push a frame first: the stream has seen none.")
            wanted = self._classify.get_input_details()
            states = {name: self._states[name] for name in wanted}
            self._logits = self._classify(**states)["logits"]
        return self._logits[0]

    def top(self, k=3):
        """Returns the k likeliest classes as (name, probability), likeliest first."""
        logits = self.logits()
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        best = np.argsort(-probabilities)[:k]
        return [(self.labels[index], float(probabilities[index])) for index in best]
