"""TensorFlow under the names of `keras.ops`, as far as `grw_tf.random_walk` needs."""

import tensorflow as tf

argsort = tf.argsort
cast = tf.cast
matmul = tf.matmul
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
