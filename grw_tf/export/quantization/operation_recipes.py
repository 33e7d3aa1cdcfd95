"""Recipes for LiteRT's own quantizer: how each operation is quantized."""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ai_edge_quantizer import qtyping, quantizer

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.streaming.native_output import silenced

_OPERATIONS = qtyping.TFLOperationName
# Operations whose weights are worth quantizing.
_CONVOLUTION = _OPERATIONS.CONV_2D
_DEPTHWISE = _OPERATIONS.DEPTHWISE_CONV_2D
_DENSE = _OPERATIONS.FULLY_CONNECTED
_EVERYWHERE = ".*"


def float16_weights(content: bytes) -> bytes:
    """Stores weights in float16; computation stays in float32."""
    found = quantizer.Quantizer(content)
    for operation in (_CONVOLUTION, _DEPTHWISE, _DENSE):
        found.add_weight_only_config(
            _EVERYWHERE,
            operation,
            num_bits=16,
            algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING,
        )
    return _quantized(found)


def int8_operations(
    content: bytes,
    fixed: Sequence[str] = (),
    ranges: Mapping[str, tuple[Any, Any]] | None = None,
    others: bool = True,
) -> bytes:
    """Stores weights in int8, by output channel.

    Convolutions and dense layers compute in int8 from activations quantized by each
    frame's own range, and give float32. Depthwise convolutions compute in float32: one
    scale for all channels costs them most, and XNNPACK has no kernel that quantizes at
    run time for them.

    Args:
        content: A float32 TFLite model.
        fixed: Names of the outputs of convolutions that compute in int8 throughout,
            with activations of fixed ranges.
        ranges: Ranges of the tensors around these, {name: (lowest, highest)}, as arrays
            of the tensor's rank.
        others: Whether to quantize all other operations too.
    """
    found = quantizer.Quantizer(content)
    if others:
        for operation in (_CONVOLUTION, _DENSE):
            found.add_dynamic_config(_EVERYWHERE, operation, num_bits=8)
        found.add_weight_only_config(_EVERYWHERE, _DEPTHWISE, num_bits=8)
    for name in fixed:
        # As the quantizer spells the scope of an operation.
        found.add_static_config(f"^{re.escape(name)};$", _CONVOLUTION, 8, 8)
    return _quantized(found, ranges if fixed else None)


def _quantized(found, ranges=None):
    statistics = ranges and {
        name: {"min": low, "max": high} for name, (low, high) in ranges.items()
    }
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = found.quantize(
            statistics, enable_progress_bar=False, enable_progress_report=False
        )
    # It puts weights after the model, where not all readers look.
    return write_model(read_model(result.quantized_model))
