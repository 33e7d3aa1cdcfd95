"""Streams of frames through a TFLite model, to measure its tensors and logits."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from grw_tf.export.flatbuffer import graph_index, read_model
from grw_tf.export.state_entries import state_entries
from grw_tf.streaming.exported_file import state_specs
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.runners import warmed_up
from grw_tf.streaming.signature_loop import SignatureLoop
from grw_tf.streaming.signature_names import STEP

# Heads that give logits on demand are asked once in this many steps.
_ASKED_EVERY = 4


class Rollout:
    """A stream through a float or quantized model of `conversion.convert`.

    `observed` are the names of the step's tensors that `values` will be asked for. With
    them, TFLite's own, slower kernels compute.

    Raises:
        ValueError: As `state_entries`.
    """

    def __init__(
        self, content: bytes, threads: int = 1, observed: Iterable[str] = ()
    ) -> None:
        self._entries = state_entries(content)
        observed = set(observed)
        self._graph, self._indices = _find_tensors(content, observed)
        self._interpreter = make_interpreter(
            content=content,
            num_threads=threads,
            xnnpack=not observed,
            keep_tensors=bool(observed),
        )
        self._loop = SignatureLoop(self._interpreter, state_specs(self._entries))
        self.image_shape = self._loop.image_shape
        self._fractions = self._loop.image_dtype == np.float32
        warmed_up(self._loop, np.zeros(self.image_shape, self._loop.image_dtype))

    @property
    def states(self) -> dict[str, np.ndarray]:
        """The states by name, as the file stores them."""
        return dict(self._loop.states)

    def restart(self, states: Mapping[str, np.ndarray] | None = None) -> None:
        """Starts another stream, by default from the initial states.

        Other states are given in float32, even where the file stores them in int8.
        """
        self._loop.reset()
        if states is not None:
            self._loop.states = {
                entry["name"]: _stored(states[entry["name"]], entry)
                for entry in self._entries
            }

    def step(self, frames: np.ndarray) -> np.ndarray | None:
        """Takes uint8 frames [frames_per_step, size, size, 3]; returns any logits."""
        return self._loop.step(
            frames.astype(np.float32) / 255 if self._fractions else frames
        )

    def logits(self, frames: np.ndarray, asked_every: int = _ASKED_EVERY) -> np.ndarray:
        """Takes frames [frames, size, size, 3]; returns logits [times, classes].

        The times are the ends of all steps, or of one in `asked_every` if the head
        gives logits on demand. Frames that do not fill a step are left out.
        """
        found = []
        parts = list(self.steps(frames))
        for index, part in enumerate(parts, start=1):
            logits = self.step(part)
            if logits is not None:
                found.append(logits)
            elif index % asked_every == 0 or index == len(parts):
                found.append(self._loop.classify())
        return np.concatenate(found)

    def steps(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the frames of each step."""
        count = self.image_shape[0]
        for start in range(0, len(frames) - count + 1, count):
            yield frames[start : start + count]

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields (name, value) of the observed tensors, of the last step."""
        for name, index in self._indices.items():
            yield name, self._interpreter.get_tensor(index, self._graph)


def _find_tensors(content, names):
    model = read_model(content)
    graph = graph_index(model, STEP)
    tensors = enumerate(model.subgraphs[graph].tensors)
    found = {tensor.name.decode(): index for index, tensor in tensors}
    return graph, {name: found[name] for name in names}


def _stored(state, entry):
    if "scale" not in entry:
        return state
    value = np.round(state / entry["scale"]) + entry["zero_point"]
    return np.clip(value, -128, 127).astype(entry["dtype"])
