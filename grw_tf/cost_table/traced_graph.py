"""Reading traced functions: what operations call, and the shapes of tensors."""


def called_functions(operation):
    """Lists the names of the functions that an operation calls, or may call."""
    attributes = operation.node_def.attr.values()
    return [attr.func.name for attr in attributes if attr.HasField("func")]


def is_call(operation):
    """Says whether an operation calls a function once, always."""
    return operation.type.endswith("PartitionedCall")


def known_within(called, operation, known):
    """Returns shapes that a call gives to tensors of a graph, by their names.

    The graph may serve calls of several shapes, as that of Keras' grouped convolutions.

    Args:
        called: The graph of the function that is called.
        operation: The call.
        known: Such shapes of the call's own graph.
    """
    found = {}
    for tensor, given in (
        *zip(called.inputs, operation.inputs, strict=True),
        *zip(called.outputs, operation.outputs, strict=True),
    ):
        shape = _merged(given, known)
        found[tensor.name] = shape
        while tensor.op.type == "Identity":
            (tensor,) = tensor.op.inputs
            found[tensor.name] = shape
    return found


def shape_of(operation, tensor, known):
    """Returns the shape of a tensor that an operation takes or gives, as a tuple.

    Args:
        operation: The operation.
        tensor: The tensor.
        known: Of `known_within`.

    Raises:
        ValueError: If it is not wholly known.
    """
    shape = _merged(tensor, known)
    if not shape.is_fully_defined():
        raise ValueError(
            f"{operation.name} has the tensor {tensor.name} of shape {shape}: trace the"
            " function with shapes that are known, the batch's too."
        )
    return tuple(shape)


def _merged(tensor, known):
    return tensor.shape.merge_with(known.get(tensor.name))
