"""Embeds each frame of clips, at one place of a model."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.models.backbone import endpoint_channels, endpoints
from grw_tf.models.smoothing import FINAL, frame_places


def embedding_layers(model: tf_keras.Model) -> tuple[str, ...]:
    """Returns the names of the places that have an embedding of each frame.

    The last one is the default: "final", the embeddings Z of a mean or transformer
    head, or the backbone's last endpoint that keeps time.
    """
    return tuple(frame_places(model.config, endpoint_channels(model.backbone)))


def embed_clips(
    model: tf_keras.Model, batches: Iterable[tuple], layer: str = ""
) -> np.ndarray:
    """Returns the embeddings of clips' frames at inference, float32 [clips, N, K].

    There are fewer than N where the network has strides in time.

    Batches are tuples that begin with clips [batch, N, size, size, 3] in 0..1. The
    layer is one of `embedding_layers`; features of an endpoint are averaged over space.

    Raises:
        ValueError: If the model has no such place, or if there is no clip.
    """
    known = embedding_layers(model)
    layer = layer or known[-1]
    if layer not in known:
        raise ValueError(
            f"Unknown layer {layer!r:.80} of this model; known: {', '.join(known)}."
        )

    @tf.function(autograph=False)
    def embed(clips):
        if layer == FINAL:
            z = model.embed(clips)
        else:
            features = endpoints(model.backbone, model.clip(clips))[layer]
            z = tf.reduce_mean(features, axis=(2, 3))
        return tf.cast(z, tf.float32)

    found = [embed(tf.constant(batch[0])).numpy() for batch in batches]
    if not found:
        raise ValueError("There is no clip to embed.")
    return np.concatenate(found)
