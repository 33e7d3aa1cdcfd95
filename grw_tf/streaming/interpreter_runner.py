"""Steps of a stream by LiteRT's interpreter, which every version of LiteRT has."""

import numpy as np

from grw_tf.streaming.litert import Interpreter, OpResolverType
from grw_tf.streaming.native_output import silenced


class InterpreterRunner:
    """Keeps a stream's states, which each step copies in and out.

    Args:
      exported: an `ExportedFile`.
      num_threads: threads to compute with.
      xnnpack: whether by XNNPACK, else by TFLite's own kernels.

    Raises:
      RuntimeError, ValueError: if the model cannot be run.
    """

    def __init__(self, exported, num_threads=1, xnnpack=True):
        self._specs = exported.states
        resolver = (
            OpResolverType.AUTO
            if xnnpack
            else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        with silenced():
            interpreter = Interpreter(
                exported.path,
                num_threads=num_threads,
                experimental_op_resolver_type=resolver,
            )
            self._step = interpreter.get_signature_runner("step")
            self._classify, self._classified = None, ()
            if "classify" in interpreter.get_signature_list():
                self._classify = interpreter.get_signature_runner("classify")
                self._classified = tuple(self._classify.get_input_details())
            self.reset()
            # The first run starts more of LiteRT, and finds what is amiss.
            taken = exported.manifest["input"]
            self.step(np.zeros(taken["shape"], taken["dtype"]))
            if self._classified:
                self.classify()
        self.reset()

    def reset(self):
        """Gives all states their initial values."""
        self._states = {
            name: np.full(shape, value, dtype)
            for name, (shape, dtype, value) in self._specs.items()
        }

    def step(self, image):
        """Takes frames as the model does; returns their logits, or None."""
        outputs = self._step(image=image, **self._states)
        logits = outputs.pop("logits", None)
        self._states = outputs
        return logits

    def classify(self):
        """Returns the logits of the states."""
        states = {name: self._states[name] for name in self._classified}
        return self._classify(**states)["logits"]

    def close(self):
        """Lets go of the model."""
        self._step = self._classify = self._states = None
