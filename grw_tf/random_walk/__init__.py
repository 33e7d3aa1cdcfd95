"""The mathematics of GRW smoothing, written once for every array library.

Its functions take the namespace they compute with, `ops`: `keras.ops`, or
TensorFlow under the same names (`grw_tf.losses.tensorflow_ops`).
"""
