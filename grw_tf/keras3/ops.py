"""The array library of `grw_tf.random_walk`: `keras.ops`, and random numbers."""

# ruff: noqa: F401
from keras.ops import (
    any,
    argsort,
    cast,
    concatenate,
    convert_to_tensor,
    logsumexp,
    matmul,
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
