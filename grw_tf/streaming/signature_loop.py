"""A TFLite model's stream: a signature that is fed its own states."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from grw_tf.streaming.exported_file import StateSpec
from grw_tf.streaming.litert import Interpreter
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.signature_names import CLASSIFY, IMAGE, LOGITS, STEP


class SignatureLoop:
    """A stream of frames through a TFLite model in LiteRT's interpreter.

    Each step copies the states in and out.

    Args:
        interpreter: Interpreter of a model with a signature from an image and states
            to states of the same names, and logits. If it gives no logits, the model
            has a second signature `classify` from states to logits.
        specs: The states, by name.
        signature: Name of the first signature.

    Attributes:
        states: The states by name, as the model stores them.
        image_shape: Shape of the image.
        image_dtype: Type of the image.

    Raises:
        RuntimeError, ValueError: If the model cannot be run.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        specs: Mapping[str, StateSpec],
        signature: str = STEP,
    ) -> None:
        self._specs = specs
        with silenced():
            self._step = interpreter.get_signature_runner(signature)
            self._classify: Any = None
            self._classified: tuple[str, ...] = ()
            if CLASSIFY in interpreter.get_signature_list():
                self._classify = interpreter.get_signature_runner(CLASSIFY)
                self._classified = tuple(self._classify.get_input_details())
        image = self._step.get_input_details()[IMAGE]
        self.image_shape = tuple(image["shape"].tolist())
        self.image_dtype = np.dtype(image["dtype"])
        self.reset()

    def reset(self) -> None:
        """Gives all states their initial values."""
        self.states = {
            name: np.full(shape, value, dtype)
            for name, (shape, dtype, value) in self._specs.items()
        }

    def set_state(self, name: str, value: float) -> None:
        """Sets all numbers of a state before the next step."""
        shape, dtype, _ = self._specs[name]
        self.states[name] = np.full(shape, value, dtype)

    def step(self, image: np.ndarray) -> np.ndarray | None:
        """Takes frames as the model does; returns their logits, or None."""
        outputs = self._step(**{IMAGE: image}, **self.states)
        self.states = {name: outputs[name] for name in self._specs}
        return outputs.get(LOGITS)

    def classify(self) -> np.ndarray:
        """Returns the logits of the states, for models whose steps give none."""
        states = {name: self.states[name] for name in self._classified}
        return self._classify(**states)[LOGITS]

    def close(self) -> None:
        """Releases the model."""
        self._step = self._classify = None
        self.states = {}
