"""Streams of frames run through a TFLite file, its own states fed back."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from grw_tf.export.flatbuffer import graph_index, read_model
from grw_tf.export.state_entries import IMAGE, STEP, state_entries
from grw_tf.streaming.native_output import silenced

LOGITS = "logits"
# Heads that give logits on demand are asked once in so many steps.
_ASKED_EVERY = 4


class Rollout:
    """A stream through a file's float or quantised model.

    Args:
      content: of a TFLite model with the signatures of `conversion.convert`.
      threads: to compute with.
      observed: names of the step's tensors that `values` will be asked for; TFLite's
        own, slower kernels compute then.

    Raises:
      ValueError: as `state_entries`.
    """

    def __init__(self, content, threads=1, observed=()):
        self._entries = state_entries(content)
        options = {}
        if observed:
            self._graph, self._indices = _find_tensors(content, set(observed))
            options = {
                "experimental_preserve_all_tensors": True,
                "experimental_op_resolver_type": (
                    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                ),
            }
        with silenced():
            self._interpreter = Interpreter(
                model_content=content, num_threads=threads, **options
            )
            self._step = self._interpreter.get_signature_runner(STEP)
        image = self._step.get_input_details()[IMAGE]
        self.image_shape = tuple(image["shape"].tolist())
        self._fractions = image["dtype"] == np.float32
        self._classify, self._classified = None, ()
        if LOGITS not in self._step.get_output_details():
            self._classify = self._interpreter.get_signature_runner("classify")
            self._classified = tuple(self._classify.get_input_details())
        self.restart()
        # The first calls plan memory, and say so.
        with silenced():
            self.step(np.zeros(self.image_shape, np.uint8))
            if self._classify is not None:
                self._asked()
        self.restart()

    @property
    def states(self):
        """The states by name, as the file stores them."""
        return dict(self._states)

    def restart(self, states=None):
        """Starts another stream.

        Args:
          states: to start from, in float32 where the file may store them in int8; by
            default the initial ones.
        """
        if states is None:
            self._states = {
                entry["name"]: np.full(
                    entry["shape"], entry["initial_value"], entry["dtype"]
                )
                for entry in self._entries
            }
        else:
            self._states = {
                entry["name"]: _stored(states[entry["name"]], entry)
                for entry in self._entries
            }

    def step(self, frames):
        """Takes uint8 frames [frames_per_step, size, size, 3]; returns any logits."""
        image = frames.astype(np.float32) / 255 if self._fractions else frames
        outputs = self._step(**{IMAGE: image}, **self._states)
        logits = outputs.pop(LOGITS, None)
        self._states = outputs
        return logits

    def logits(self, frames):
        """Takes in frames [frames, size, size, 3]; returns logits [times, classes].

        They are those after each step, or of some of them where the head gives them on
        demand. Frames that do not fill a step are left out.
        """
        found = []
        parts = list(self.steps(frames))
        for index, part in enumerate(parts, start=1):
            logits = self.step(part)
            if self._classify is None:
                found.append(logits)
            elif index % _ASKED_EVERY == 0 or index == len(parts):
                found.append(self._asked())
        return np.concatenate(found)

    def steps(self, frames):
        """Yields the frames of each step."""
        count = self.image_shape[0]
        for start in range(0, len(frames) - count + 1, count):
            yield frames[start : start + count]

    def values(self):
        """Yields (name, value) of the observed tensors, of the last step."""
        for name, index in self._indices.items():
            yield name, self._interpreter.get_tensor(index, self._graph)

    def _asked(self):
        states = {name: self._states[name] for name in self._classified}
        return self._classify(**states)[LOGITS]


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
