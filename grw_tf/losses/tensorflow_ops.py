"""The functions of `keras.ops` that `grw_tf.random_walk` needs, in TensorFlow."""

from typing import Any

import tensorflow as tf

from grw_tf.common.devices import only_cpus

argsort = tf.argsort
cast = tf.cast
maximum = tf.maximum
minimum = tf.minimum
reshape = tf.reshape
softplus = tf.math.softplus
stop_gradient = tf.stop_gradient
transpose = tf.transpose
where = tf.where
zeros_like = tf.zeros_like

any = tf.reduce_any
logsumexp = tf.reduce_logsumexp
max = tf.reduce_max
mean = tf.reduce_mean
sum = tf.reduce_sum
concatenate = tf.concat
take = tf.gather

convert_to_tensor = tf.convert_to_tensor
random_uniform = tf.random.uniform


@tf.custom_gradient
def matmul(a: tf.Tensor, b: tf.Tensor) -> Any:
    """The product of a and b, as accurate on accelerators as on CPUs.

    GPUs and TPUs round the factors of float32 products to 11 or 8 significant bits
    (TF32, bfloat16), which moves the GRW loss by 1e-3 and its gradient by 7e-3; only a
    setting for the whole process turns that off. So on a machine with one each factor
    is split into its first 8 bits, which none of them round, and the rest. CPUs round
    no factors.
    """

    def gradient(upstream):
        return (
            _product(upstream, b, transpose_b=True),
            _product(a, upstream, transpose_a=True),
        )

    return _product(a, b), gradient


def _product(a, b, **transpose):
    if a.dtype == tf.float64 or only_cpus():
        return tf.matmul(a, b, **transpose)
    parts = [
        tf.matmul(left, right, **transpose) for left in _split(a) for right in _split(b)
    ]
    return tf.add_n(parts)


def _split(x):
    # With bits, because compilers remove a cast to bfloat16 and back.
    bits = tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), tf.constant(-(2**16)))
    high = tf.bitcast(bits, tf.float32)
    return high, x - high
