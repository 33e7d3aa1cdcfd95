"""Steps of a stream by LiteRT's compiled model, which copies no states."""

import functools
import os

import ai_edge_litert
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.cpu_kernel_mode import CpuKernelMode
from ai_edge_litert.environment import Environment
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import CpuOptions, Options

from grw_tf.streaming.exported_file import ExportedFile
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.signature_names import CLASSIFY, IMAGE, LOGITS


class CompiledRunner:
    """Keeps a stream's states in two sets of buffers.

    A step reads one set and writes the other, and then they change places. (LiteRT
    leaves the buffer of an output that is an input unchanged as it is; the states of
    this project's files all change at each step.)

    LiteRT does not check whether the file is sound, and crashes if it is not: see
    `model_check`.

    Raises:
        Exception: Any exception, if the model cannot be run.
    """

    def __init__(self, exported: ExportedFile, num_threads: int = 1) -> None:
        self._specs = exported.states
        self._classes = len(exported.labels)
        options = Options(
            hardware_accelerators=HardwareAccelerator.CPU,
            cpu_options=CpuOptions(
                num_threads=num_threads,
                kernel_mode=CpuKernelMode.XNNPACK,
            ),
        )
        with silenced():
            self._model = CompiledModel.from_file(
                exported.path, options=options, environment=_environment()
            )
            signatures = self._model.get_signature_list()
            step = exported.step_signature
            self._step = self._model.get_signature_index(step)
            self._image = self._input(step, IMAGE)
            first = {name: self._input(step, name) for name in self._specs}
            second = {name: self._output(step, name) for name in self._specs}
            # Steps give the logits, or "classify" does.
            self._on_demand = CLASSIFY in signatures
            maker = CLASSIFY if self._on_demand else step
            self._logits = self._output(maker, LOGITS)
            self._classified = signatures[maker]["inputs"]
            # The states before a step, and the step's buffers; the next step comes
            # first. With dicts, LiteRT copies all names at each step.
            self._turns = [
                (first, self._buffers(signatures[step], first, second)),
                (second, self._buffers(signatures[step], second, first)),
            ]
            # Writing to a buffer starts LiteRT's runtime, which writes messages.
            self.reset()

    def reset(self) -> None:
        """Gives all states their initial values."""
        for name, (shape, dtype, value) in self._specs.items():
            self._now[name].write(np.full(shape, value, dtype))

    def set_state(self, name: str, value: float) -> None:
        """Sets all numbers of a state before the next step."""
        shape, dtype, _ = self._specs[name]
        self._now[name].write(np.full(shape, value, dtype))

    def step(self, image: np.ndarray) -> np.ndarray | None:
        """Takes frames as the model does; returns their logits, or None."""
        self._image.write(image)
        _, buffers = self._turns[0]
        self._model.run_by_index(self._step, *buffers)
        self._turns.reverse()
        return None if self._on_demand else self._read_logits()

    def classify(self) -> np.ndarray:
        """Returns the logits of the states."""
        states = {name: self._now[name] for name in self._classified}
        self._model.run_by_name(CLASSIFY, states, {LOGITS: self._logits})
        return self._read_logits()

    def close(self) -> None:
        """Releases the model."""
        with silenced():
            self._image = self._logits = None
            self._turns = []
            self._model.close()

    @property
    def _now(self):
        """The states' buffers before the next step, by name."""
        return self._turns[0][0]

    def _buffers(self, signature, now, after):
        """Returns a step's inputs and outputs, in the order of its signature."""
        inputs = {IMAGE: self._image, **now}
        outputs = {LOGITS: self._logits, **after}
        return (
            [inputs[name] for name in signature["inputs"]],
            [outputs[name] for name in signature["outputs"]],
        )

    def _input(self, signature, name):
        return self._model.create_input_buffer_by_name(signature, name)

    def _output(self, signature, name):
        return self._model.create_output_buffer_by_name(signature, name)

    def _read_logits(self):
        return self._logits.read(self._classes, np.float32)[None]


@functools.cache
def _environment():
    """Returns LiteRT's environment, which all sessions share."""
    folder = os.path.dirname(os.path.abspath(ai_edge_litert.__file__))
    return Environment.create(runtime_path=folder)
