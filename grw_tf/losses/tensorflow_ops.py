"""TensorFlow under the names of `keras.ops`, as far as `grw_tf.random_walk` needs."""

import tensorflow as tf

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


def matmul(a, b):
    """The product of a and b, whose type it keeps, computed in float64.

    GPUs and TPUs round the factors of float32 products to 10 bits or fewer (TF32,
    bfloat16), which moves the GRW loss by 1e-3 and its gradient by 7e-3.
    """
    product = tf.matmul(tf.cast(a, tf.float64), tf.cast(b, tf.float64))
    return tf.cast(product, a.dtype)
