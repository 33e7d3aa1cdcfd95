"""LiteRT's interpreter, or one line on why it is not there."""

import platform
import sys

from grw_tf.common.error_text import one_line

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError as error:
    bits = 64 if sys.maxsize > 2**32 else 32
    raise ImportError(
        f"LiteRT cannot be imported here, in {bits}-bit Python on {platform.machine()}"
        f" ({one_line(error)}): run pip install ai-edge-litert. It needs a"
        " 64-bit system, on a Raspberry Pi too.",
        name=error.name,
    ) from None

__all__ = ["Interpreter", "OpResolverType"]
