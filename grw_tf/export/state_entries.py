"""The states of a stream in a file, with their types and initial values."""

import numpy as np

from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.signature_names import IMAGE, STEP, step_signature


def state_entries(content: bytes) -> list[dict]:
    """Returns the states of a TFLite model as its manifest lists them.

    Each has a `name`, `shape`, `dtype` and `initial_value`, which stands for zero.
    Quantized states also have `scale` and `zero_point`: their values are
    scale (stored - zero_point).

    Raises:
        ValueError: If there is no signature `step` that takes an image and states.
    """
    interpreter = make_interpreter(content=content)
    signatures = interpreter.get_signature_list()
    step = step_signature(signatures)
    inputs = signatures.get(step, {"inputs": []})["inputs"]
    if IMAGE not in inputs:
        raise ValueError(
            f"The model has no signature {STEP!r} that takes an {IMAGE!r}: it is not"
            " one that `grw_tf.export.conversion` made."
        )
    details = interpreter.get_signature_runner(step).get_input_details()
    return [_entry(name, details[name]) for name in details if name != IMAGE]


def _entry(name, detail):
    entry = {
        "name": name,
        "shape": detail["shape"].tolist(),
        "dtype": np.dtype(detail["dtype"]).name,
        "initial_value": 0,
    }
    quantization = detail["quantization_parameters"]
    if quantization["scales"].size:
        zero_point = int(quantization["zero_points"][0])
        scale = float(quantization["scales"][0])
        entry |= {
            "initial_value": zero_point,
            "scale": scale,
            "zero_point": zero_point,
        }
    return entry
