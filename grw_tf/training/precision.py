"""The precision that models compute in."""

import contextlib
from collections.abc import Iterator

import tf_keras
from official.modeling import performance

_DTYPES = ("float32", "bfloat16", "float16")


@contextlib.contextmanager
def precision(dtype: str | None) -> Iterator[None]:
    """Makes models that are built within compute in a type; weights stay float32.

    None leaves Keras' policy alone.

    Raises:
        ValueError: If the type is another one.
    """
    if dtype and dtype not in _DTYPES:
        raise ValueError(
            f"runtime.mixed_precision_dtype is {dtype!r}: choose one of"
            f" {', '.join(_DTYPES)}."
        )
    before = tf_keras.mixed_precision.global_policy()
    try:
        if dtype:
            performance.set_mixed_precision_policy(dtype)
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
