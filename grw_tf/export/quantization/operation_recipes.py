"""Recipes for LiteRT's own quantizer: how each operation is quantized."""

import re
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ai_edge_quantizer import qtyping, quantizer

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.streaming.native_output import silenced

_OPERATIONS = qtyping.TFLOperationName
DEPTHWISE = _OPERATIONS.DEPTHWISE_CONV_2D
QUANTIZABLE = (_OPERATIONS.CONV_2D, DEPTHWISE, _OPERATIONS.FULLY_CONNECTED)
"""Operations whose weights are worth quantizing."""
_EVERYWHERE = ".*"


def quantize_layers(
    content: bytes,
    precision: str,
    exceptions: Mapping[str, tuple[qtyping.TFLOperationName, str]] = MappingProxyType(
        {}
    ),
) -> bytes:
    """Stores the weights of convolutions and dense layers in fewer bits.

    Precisions are:

    - "float32": as it is.
    - "float16": weights in float16; computation stays in float32.
    - "weight_only": weights in int8, by output channel; computation stays in float32.
    - "dynamic": as "weight_only", but convolutions and dense layers compute in int8
      from activations quantized by each frame's own range, and give float32. Depthwise
      convolutions do not: one scale for all channels costs them most, and XNNPACK has
      no kernel that quantizes at run time for them.

    Args:
        content: A float32 TFLite model.
        precision: Of all layers.
        exceptions: Kinds and precisions of layers, by the names of their outputs.
    """
    found = quantizer.Quantizer(content)
    for operation in QUANTIZABLE:
        _add(found, _EVERYWHERE, operation, precision)
    for name, (operation, own_precision) in exceptions.items():
        _add(found, _scope(name), operation, own_precision)
    return _quantized(found)


def int8_operations(
    content: bytes,
    fixed: Sequence[str],
    ranges: Mapping[str, tuple[Any, Any]],
    others: bool = True,
) -> bytes:
    """Lets some convolutions compute in int8 throughout.

    Args:
        content: A float32 TFLite model.
        fixed: Names of the outputs of these convolutions.
        ranges: Ranges of the tensors around these, {name: (lowest, highest)}, as arrays
            of the tensor's rank.
        others: Whether to quantize all other operations too, as "dynamic".
    """
    found = quantizer.Quantizer(content)
    if others:
        for operation in QUANTIZABLE:
            _add(found, _EVERYWHERE, operation, "dynamic")
    for name in fixed:
        found.add_static_config(_scope(name), QUANTIZABLE[0], 8, 8)
    return _quantized(found, ranges if fixed else None)


def int16_operations(content: bytes, ranges: Mapping[str, tuple[Any, Any]]) -> bytes:
    """Lets all operations compute in int16, with weights in int8 by output channel.

    Args:
        content: A float32 TFLite model of operations that have such kernels.
        ranges: As for `int8_operations`, of all tensors; for weights, which are
            constants, by channel.
    """
    found = quantizer.Quantizer(content)
    found.add_static_config(_EVERYWHERE, _OPERATIONS.ALL_SUPPORTED, 16, 8)
    return _quantized(found, ranges)


def _add(found, scope, operation, precision):
    """Adds a precision to a quantizer's recipe, where the latest that fits counts."""
    if precision == "float32":
        found.update_quantization_recipe(
            scope, operation, algorithm_key=quantizer.AlgorithmName.NO_QUANTIZE
        )
    elif precision == "float16":
        found.add_weight_only_config(
            scope,
            operation,
            num_bits=16,
            algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING,
        )
    elif precision == "dynamic" and operation != DEPTHWISE:
        found.add_dynamic_config(scope, operation, num_bits=8)
    else:
        found.add_weight_only_config(scope, operation, num_bits=8)


def _scope(name):
    """Returns a pattern of one operation's scope, as the quantizer spells it."""
    return f"^{re.escape(name)};$"


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
