"""The array library of `grw_tf.random_walk`: `keras.ops`, and random numbers."""

# ruff: noqa: F401
from keras.config import backend
from keras.ops import (
    any,
    argsort,
    cast,
    concatenate,
    convert_to_tensor,
    logsumexp,
    max,
    maximum,
    mean,
    minimum,
    reshape,
    softplus,
    stop_gradient,
    sum,
    take,
    transpose,
    where,
    zeros_like,
)
from keras.random import uniform as random_uniform

if backend() == "tensorflow":
    from grw_tf.losses.tensorflow_ops import matmul
else:
    from keras.ops import matmul  # type: ignore[no-redef]  # One of the two.
