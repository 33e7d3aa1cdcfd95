"""The last layer of every classification head."""

import tf_keras


def logits_layer(num_classes: int, compute_dtype: str) -> tf_keras.layers.Dense:
    """Returns the dense layer to logits, at least float32 under mixed precision.

    Args:
        num_classes: Number of classes.
        compute_dtype: What the head computes in.
    """
    return tf_keras.layers.Dense(
        num_classes,
        dtype="float64" if compute_dtype == "float64" else "float32",
        name="classifier",
    )
