"""LiteRT's interpreter, or one line on why it cannot be imported."""

import platform
import sys

from grw_tf.common.error_text import one_line
from grw_tf.streaming.native_output import silenced

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

__all__ = ["Interpreter", "make_interpreter"]


def make_interpreter(
    path: str | None = None,
    content: bytes | None = None,
    num_threads: int = 1,
    xnnpack: bool = True,
    keep_tensors: bool = False,
) -> Interpreter:
    """Returns an interpreter of a TFLite model's file or content, without messages.

    Without `xnnpack`, TFLite's own kernels compute. With `keep_tensors`, all tensors
    can be read after a run.

    Raises:
        RuntimeError, ValueError: If the model is damaged or cannot be run.
    """
    resolver = (
        OpResolverType.AUTO
        if xnnpack
        else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    with silenced():
        return Interpreter(
            model_path=path,
            model_content=content,
            num_threads=num_threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=keep_tensors,
        )
