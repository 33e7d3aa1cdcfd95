"""Drives a file as TensorFlow's sample apps of video classification do.

By their interface alone: lite/examples/video_classification of tensorflow/examples, for
Raspberry Pi and Android. Nothing of this project is used.
"""

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

SIGNATURE = "serving_default"


class SampleApp:
    """Classifies frames; `clear` starts anew.

    Raises:
        ValueError: If the file has other signatures, or the label file other lines,
            than the apps want.
    """

    def __init__(self, model, label_file):
        interpreter = Interpreter(str(model))
        if list(interpreter.get_signature_list()) != [SIGNATURE]:
            raise ValueError("The apps ask for the only signature.")
        self._signature = interpreter.get_signature_runner()
        self._inputs = self._signature.get_input_details()
        # The Android app takes these axes for height and width.
        shape = self._inputs["image"]["shape"].tolist()
        self.size = shape[2], shape[3]
        if shape != [1, 1, *self.size, 3]:
            raise ValueError(f"The image is {shape}.")
        # Android reads an array of floats, whatever the model says.
        if self._inputs["image"]["dtype"] != np.float32:
            raise ValueError("The image is not float32.")
        self.labels = label_file.read_text(encoding="utf-8").splitlines()
        classes = self._signature.get_output_details()["logits"]["shape"].tolist()
        if classes != [1, len(self.labels)]:
            raise ValueError(f"{len(self.labels)} labels, logits {classes}.")
        self.clear()

    def clear(self):
        """Fills all states with bytes of zero."""
        self._states = {
            name: np.zeros(detail["shape"], detail["dtype"])
            for name, detail in self._inputs.items()
            if name != "image"
        }

    def logits(self, frame):
        """Returns the logits [classes] after a frame, uint8 [height, width, 3], RGB."""
        height, width = self.size
        image = cv2.resize(frame, (width, height))[np.newaxis, np.newaxis]
        image = np.float32(image) / 255
        outputs = self._signature(image=image, **self._states)
        logits = outputs.pop("logits")
        self._states = outputs
        return logits[0]
