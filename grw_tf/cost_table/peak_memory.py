"""Peak memory of one call of a traced function, from its operations' static shapes.

What is counted are activations: the inputs (frames and states), all that is computed
from them, and the outputs. Rules:

- Operations run one after another in the order in which they were traced, those alone
  on which an output depends.
- A tensor is in memory from the operation that gives it to the last that takes it,
  inputs from the start, outputs to the end.
- What only gives a tensor another shape or name makes no new one (`_ALIASES`).
- An operation on each element by itself (`_ELEMENTWISE`) writes over an operand that
  nothing takes later, if that is as large as its result and no input of the function.
- Weights, and what is computed from them alone, are not counted, nor is the working
  space within an operation.
"""

import dataclasses
import math

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


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of activations in one call.

    Attributes:
        peak: Most that are in memory at once.
        operation: The operation at which they are, by its name.
        inputs: The inputs' share of all.
        outputs: The outputs'.
        unshared: All activations together, as if no memory were used twice.
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


def peak_memory(function) -> Memory:
    """Follows a call of a function through its operations.

    Args:
        function: A concrete function; its captures are its weights.

    Raises:
        ValueError: For a tensor of unknown shape, or a loop or a branch, for what those
            run is not in the graph.
    """
    schedule = _Schedule(function)
    steps, last = schedule.needed_steps()
    sizes, owned = schedule.sizes, set()
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
    """Returns the operand that takes an operation's result, `_NOTHING` if none."""
    if step.kind in _ELEMENTWISE:
        for buffer in candidates:
            if sizes[buffer] == sizes[step.outputs[0]]:
                return buffer
    return _NOTHING


_NOTHING = 0
"""The buffer of all that is not counted."""


class _Schedule:
    """A function's operations with all calls written out, upon numbered buffers.

    Attributes:
        sizes: Bytes by buffer.
        inputs, outputs: The function's, sets of buffers.
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

        Outputs are used by one past the last step.
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
        shape = shape_of(operation or tensor.op, tensor, known)
        self.sizes.append(math.prod(shape) * tensor.dtype.size)
        return len(self.sizes) - 1
