"""The mathematics of GRW smoothing, written once for every array library.

Its functions take the namespace they compute with, `ops`: `keras.ops`, or
TensorFlow under the same names (`grw_tf.losses.tensorflow_ops`). The part of the layers
that Keras 2 and Keras 3 share is here too (`smoothing`).
"""
