"""Computes the peak memory of a traced function's call from static shapes.

It counts activations: the inputs (frames and states), the tensors that are computed
from them, and the outputs. Rules:

- Operations run one after another in the order in which they were traced. Operations on
  which no output depends do not run.
- A tensor is in memory from the operation that makes it to the last that reads it;
  inputs from the start, outputs to the end.
- An operation that only changes a tensor's shape or name makes no new tensor
  (`_ALIASES`).
- An elementwise operation (`_ELEMENTWISE`) overwrites an operand that nothing reads
  later, if the operand has the size of the result and is not an input of the function.
- Weights, tensors computed only from weights, and the working space of operations are
  not counted.
"""

import dataclasses
import math

from tensorflow.types.experimental import ConcreteFunction

from grw_tf.cost_table.traced_graph import (
    called_functions,
    is_call,
    known_within,
    shape_of,
)

_ALIASES = (
    "EnsureShape",
    "ExpandDims",
    "Identity",
    "IdentityN",
    "PreventGradient",
    "Reshape",
    "Squeeze",
    "StopGradient",
)
_ELEMENTWISE = (
    "Add",
    "AddV2",
    "BiasAdd",
    "Cast",
    "Elu",
    "Erf",
    "Erfc",
    "Exp",
    "FusedBatchNormV3",
    "LeakyRelu",
    "Maximum",
    "Minimum",
    "Mul",
    "Neg",
    "RealDiv",
    "Relu",
    "Relu6",
    "Rsqrt",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Square",
    "SquaredDifference",
    "Sub",
    "Tanh",
)
_TINY = {
    ("BroadcastGradientArgs", 0),
    ("BroadcastGradientArgs", 1),
    # Empty, but for cuDNN's flags.
    ("FusedBatchNormV3", 5),
}
"""Outputs of operations in gradients, of unknown length and without weight here."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of activations in one call.

    Attributes:
        peak: The peak.
        operation: The name of the operation at the peak.
        inputs: Bytes of the inputs.
        outputs: Bytes of the outputs.
        unshared: Bytes of all activations if no memory were used twice.
    """

    peak: int
    operation: str
    inputs: int
    outputs: int
    unshared: int


@dataclasses.dataclass(frozen=True)
class _Step:
    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def peak_memory(function: ConcreteFunction) -> Memory:
    """Returns the memory of a call of a function, whose captures are its weights.

    Raises:
        ValueError: If a tensor has an unknown shape, or if there is a loop or a branch,
            as the graph does not say what runs in it.
    """
    schedule = _Schedule(function)
    steps, last = schedule.needed_steps()
    sizes = schedule.sizes
    owned: set[int] = set()
    now = peak = sum(sizes[buffer] for buffer in schedule.inputs)
    where = "the inputs"
    for index, step in enumerate(steps):
        dying = {buffer for buffer in step.inputs if last[buffer] == index}
        written_over = _written_over(step, dying & owned, sizes)
        now += sum(sizes[buffer] for buffer in step.outputs)
        now -= sizes[written_over]
        if now > peak:
            peak, where = now, step.name
        unused = {buffer for buffer in step.outputs if buffer not in last}
        now -= sum(sizes[buffer] for buffer in (dying - {written_over}) | unused)
        owned |= set(step.outputs)
    return Memory(
        peak=peak,
        operation=where,
        inputs=sum(sizes[buffer] for buffer in schedule.inputs),
        outputs=sum(sizes[buffer] for buffer in schedule.outputs),
        unshared=sum(sizes[buffer] for buffer in schedule.inputs)
        + sum(sizes[buffer] for step in steps for buffer in step.outputs),
    )


def _written_over(step, candidates, sizes):
    """Returns the operand that an operation overwrites, `_NOTHING` if none."""
    if step.kind in _ELEMENTWISE:
        for buffer in candidates:
            if sizes[buffer] == sizes[step.outputs[0]]:
                return buffer
    return _NOTHING


_NOTHING = 0
"""The buffer of all tensors that are not counted."""


class _Schedule:
    """A function's operations on numbered buffers, with all calls inlined.

    Attributes:
        sizes: Bytes of each buffer.
        inputs, outputs: Sets of the buffers of the function's inputs and outputs.
    """

    def __init__(self, function):
        self.sizes = [0]
        self._steps = []
        captures = len(function.captured_inputs)
        graph = function.graph
        arguments = graph.inputs[: len(graph.inputs) - captures]
        given = [self._new(None, tensor, {}) for tensor in arguments]
        outputs = self._run(graph, [*given, *[_NOTHING] * captures], {})
        self.inputs, self.outputs = set(given), set(outputs) - {_NOTHING}

    def needed_steps(self):
        """Returns the steps that outputs depend on, and the last user of each buffer.

        The last user of outputs is one past the last step.
        """
        needed, steps = set(self.outputs), []
        for step in reversed(self._steps):
            if needed & set(step.outputs):
                needed |= set(step.inputs)
                steps.append(step)
        steps.reverse()
        last = {
            buffer: index for index, step in enumerate(steps) for buffer in step.inputs
        }
        return steps, last | dict.fromkeys(self.outputs, len(steps))

    def _run(self, graph, given, known):
        """Appends a graph's operations; returns the buffers of its outputs."""
        buffers = {
            tensor.name: buffer
            for tensor, buffer in zip(graph.inputs, given, strict=True)
        }
        for operation in graph.get_operations():
            if operation.type == "Placeholder":
                continue
            inputs = [buffers[tensor.name] for tensor in operation.inputs]
            outputs = self._outputs(graph, operation, inputs, known)
            for tensor, buffer in zip(operation.outputs, outputs, strict=True):
                buffers[tensor.name] = buffer
        return [buffers[tensor.name] for tensor in graph.outputs]

    def _outputs(self, graph, operation, inputs, known):
        if not any(inputs):
            return [_NOTHING] * len(operation.outputs)
        if operation.type in _ALIASES:
            return inputs[: len(operation.outputs)]
        called = called_functions(operation)
        if is_call(operation):
            inner = graph._get_function(called[0]).graph
            return self._run(inner, inputs, known_within(inner, operation, known))
        if called:
            raise ValueError(
                f"{operation.name} is a {operation.type}: what it runs is not in the"
                " graph."
            )
        results = {tensor.name for tensor in graph.outputs}
        outputs = [
            self._new(operation, tensor, known)
            if tensor.consumers() or tensor.name in results
            else _NOTHING
            for tensor in operation.outputs
        ]
        taken = tuple(buffer for buffer in inputs if buffer != _NOTHING)
        self._steps.append(_Step(operation.name, operation.type, taken, tuple(outputs)))
        return outputs

    def _new(self, operation, tensor, known):
        operation = operation or tensor.op
        if (operation.type, tensor.value_index) in _TINY:
            return _NOTHING
        shape = shape_of(operation, tensor, known)
        self.sizes.append(math.prod(shape) * tensor.dtype.size)
        return len(self.sizes) - 1
