"""The smoothing layers of a model, from its config."""

import dataclasses
from collections.abc import Iterable, Mapping

import tensorflow as tf
import tf_keras

from grw_tf.layers import GRWSmoothing, IntermediateGRWSmoothing
from grw_tf.models.config import ModelConfig
from grw_tf.random_walk.windows import count_windows

FINAL = "final"


def frame_places(config: ModelConfig, endpoints: Iterable[str]) -> list[str]:
    """Lists the places of a model that have an embedding of each frame, in order.

    They are the backbone's endpoints, without "head" where it is pooled over time, and
    "final", the embeddings Z of a mean or transformer head.
    """
    pooled = {"head"} if config.backbone_pools_time else set()
    places = [name for name in endpoints if name not in pooled]
    return [*places, FINAL] if config.head.embeds else places


def build_smoothing(
    config: ModelConfig,
    endpoint_channels: Mapping[str, int],
    endpoint_frames: Mapping[str, int],
) -> dict[str, tf_keras.layers.Layer]:
    """Builds the smoothing layers that the config names, by the places they attach to.

    Args:
        config: The model's config.
        endpoint_channels: Channels of the backbone's endpoints.
        endpoint_frames: Frames of the backbone's endpoints.

    Raises:
        ValueError: For a place that the model does not have, or that has fewer frames
            than a window.
    """
    known = frame_places(config, endpoint_channels)
    arguments = dataclasses.asdict(config.smoothing)
    layers = {}
    for place in arguments.pop("layers"):
        if place not in known:
            hint = (
                " ('final' is the embedding of a mean or transformer head)"
                if place == FINAL
                else ""
            )
            raise ValueError(
                f"Unknown smoothing layer {place!r} for head.type="
                f"{config.head.type!r}{hint}; known: {', '.join(known)}."
            )
        frames = endpoint_frames["head" if place == FINAL else place]
        _check_frames(place, frames, config)
        if place == FINAL:
            layers[place] = GRWSmoothing(name="grw", **arguments)
        else:
            layer = IntermediateGRWSmoothing(name=f"grw_{place}", **arguments)
            layer(tf_keras.Input((frames, None, None, endpoint_channels[place])))
            layers[place] = layer
    return layers


def _check_frames(place, frames, config):
    try:
        count_windows(frames, config.smoothing.window)
    except ValueError as error:
        raise ValueError(
            f"smoothing.layers has {place!r}, where {config.backbone.model_id} makes"
            f" {frames} of a clip's {config.frames} frames. {error}"
        ) from None


def smooth_endpoints(
    layers: Mapping[str, tf_keras.layers.Layer],
    features: Mapping[str, tf.Tensor],
    clips: tf.Tensor,
    training: bool | tf.Tensor | None,
) -> tf.Tensor | None:
    """Calls smoothing layers on a backbone's features, to add their losses.

    Args:
        layers: Layers of `build_smoothing`; the one on the embeddings Z is not called.
        features: [batch, N, height, width, channels] by name of the endpoint.
        clips: The clips [batch, N, size, size, 3] of the features.
        training: Whether losses are added.

    Returns:
        Which frames of "head" are new, bool [batch, N], for the smoothing of the head;
        None if nothing is smoothed.
    """
    if not (layers and training):
        return None
    new = new_frames(clips)
    for name, layer in layers.items():
        if name != FINAL:
            x = features[name]
            layer(x, training=training, new_frames=new_at_steps(new, x.shape[1]))
    return new_at_steps(new, features["head"].shape[1])


def new_frames(clips: tf.Tensor) -> tf.Tensor:
    """Returns which frames differ from the one before, bool [batch, N].

    A clip that is too short repeats its last frame (`grw_tf.frames.choice`). Nothing
    moves there, so smoothing has nothing to learn from it. The first frame of a clip is
    always new.
    """
    repeated = tf.reduce_all(clips[:, 1:] == clips[:, :-1], axis=(2, 3, 4))
    return tf.concat([tf.ones_like(repeated[:, :1]), ~repeated], axis=1)


def new_at_steps(new: tf.Tensor, steps: int | None) -> tf.Tensor:
    """Returns which of fewer frames at equal distances are new, bool [batch, steps].

    A step is new if a frame since the step before differs from the one before it.

    Args:
        new: Which frames of the clips are new, bool [batch, N].
        steps: Number of frames of an endpoint; None for as many as the clip's.
    """
    if steps in (None, new.shape[1]):
        return new
    at = [step * new.shape[1] // steps for step in range(steps)]
    # Frames of the clip that differ from the one before, up to each of the fewer.
    count = tf.gather(tf.cumsum(tf.cast(new, tf.int32), axis=1), at, axis=1)
    return tf.concat([tf.ones_like(new[:, :1]), count[:, 1:] > count[:, :-1]], axis=1)
