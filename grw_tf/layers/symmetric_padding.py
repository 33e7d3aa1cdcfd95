"""Makes built strided layers pad both sides alike, as PyTorch does."""

import tensorflow as tf
import tf_keras


def pad_symmetrically(
    layer: tf_keras.layers.Conv3D | tf_keras.layers.MaxPool3D,
) -> None:
    """Makes a layer of odd kernels pad half a kernel of zeros on each side.

    TensorFlow's padding "same" does so where sizes are odd or there are no strides;
    layers without strides stay as they are. Only the instance changes: its class,
    variables and checkpoints stay, and it gets the attribute `margins`, the padding of
    each side in time, height and width.

    Args:
        layer: A built layer with padding "same". A pooling must follow a ReLU, as its
            padding is zeros too.
    """
    size = getattr(layer, "kernel_size", None) or layer.pool_size
    if all(
        stride == 1 or length == 1
        for stride, length in zip(layer.strides, size, strict=True)
    ):
        return
    margins = tuple(length // 2 for length in size)
    layer.margins = margins
    layer.padding = "valid"
    plain = layer.call

    @tf.autograph.experimental.do_not_convert
    def call(inputs: tf.Tensor) -> tf.Tensor:
        both = [[margin, margin] for margin in margins]
        return plain(tf.pad(inputs, [[0, 0], *both, [0, 0]]))

    layer.call = call
