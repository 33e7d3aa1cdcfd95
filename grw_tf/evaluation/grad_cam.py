"""Grad-CAM over space and time: which features speak for a class, where and when."""

import contextlib
import dataclasses
from collections.abc import Iterator

import cv2
import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.common.suggestions import suggest
from grw_tf.models.backbone import endpoint_channels

_HEAD = "head"


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for a class in a clip.

    Attributes:
        class_index: The class.
        logits: float32 [num_classes], of the clip.
        maps: float32 [time, height, width], at least 0, of the endpoint's size: the
            Grad-CAM. It is 0 everywhere if nothing speaks for the class.
    """

    class_index: int
    logits: np.ndarray
    maps: np.ndarray

    def heat(self, frames: int, size: int) -> np.ndarray:
        """Returns the maps as large as the clip, float32 [frames, size, size] in 0..1.

        They are enlarged linearly, and divided by the clip's maximum.

        Args:
            frames: Frames of the clip.
            size: Height and width of a frame in pixels.
        """
        enlarged = np.stack(
            [
                cv2.resize(one, (size, size), interpolation=cv2.INTER_LINEAR)
                for one in self.maps
            ]
        )
        time = len(enlarged)
        # A backbone may see the clip at a lower rate.
        at = np.clip((np.arange(frames) + 0.5) * time / frames - 0.5, 0, time - 1)
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, time - 1)
        share = (at - before).astype(np.float32)[:, None, None]
        heat = (1 - share) * enlarged[before] + share * enlarged[after]
        return heat / max(float(heat.max()), np.finfo(np.float32).tiny)


def feature_endpoints(model: tf_keras.Model) -> list[str]:
    """Returns the names of a model's endpoints that have space and time, in order."""
    return [name for name in endpoint_channels(model.backbone) if name != _HEAD]


def grad_cam(
    model: tf_keras.Model,
    clip: np.ndarray,
    class_index: int | None = None,
    endpoint: str = "",
) -> Evidence:
    """Returns the evidence for a class in a clip.

    With features A [time, height, width, channels] of the endpoint and the class's
    logit y, it is max(0, sum_c w_c A_c), where w_c is the mean of dy / dA_c over time
    and space.

    Args:
        model: A model of `build_model`, with any backbone.
        clip: float32 [N, size, size, 3] in 0..1.
        class_index: The class; by default the likeliest one.
        endpoint: The endpoint; by default the last one that has space, whose features
            say most about classes. Earlier ones are finer.

    Raises:
        ValueError: If there is no such class or endpoint.

    Reference: Selvaraju et al., Grad-CAM, ICCV 2017.
    """
    known = feature_endpoints(model)
    endpoint = endpoint or known[-1]
    if endpoint not in known:
        raise ValueError(
            f"Unknown endpoint {endpoint!r:.80}; {suggest(endpoint, known)}"
        )
    classes = model.config.num_classes
    if class_index is not None and not 0 <= class_index < classes:
        raise ValueError(
            f"class_index is {class_index}: the model has the classes 0 to"
            f" {classes - 1}."
        )
    # Only what follows the endpoint is recorded, so the backbone takes little memory.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        with _captured(model.backbone, endpoint, tape) as captured:
            logits = model(tf.constant(clip[None], tf.float32), training=False)[0]
        if class_index is None:
            class_index = int(tf.argmax(logits))
        score = logits[class_index]
    (features,) = captured
    gradient = tape.gradient(score, features, unconnected_gradients="zero")
    # Networks of single frames have frames in place of the batch.
    shape = (-1, *features.shape[-3:])
    features, gradient = (tf.reshape(x, shape) for x in (features, gradient))
    weights = tf.reduce_mean(gradient, axis=(0, 1, 2))
    maps = tf.nn.relu(tf.einsum("thwc,c->thw", features, weights))
    return Evidence(class_index, logits.numpy(), maps.numpy().astype(np.float32))


@contextlib.contextmanager
def _captured(
    backbone: tf_keras.Model, endpoint: str, tape: tf.GradientTape
) -> Iterator[list[tf.Tensor]]:
    """Yields a list that gets an endpoint's features, as later layers see them.

    What a backbone returns may be a copy, from which no way leads to the logits.
    """
    network = getattr(backbone, "network", backbone)
    outputs = network.output
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    layer, _, place = outputs[endpoint]._keras_history
    captured: list[tf.Tensor] = []
    own = vars(layer).get("call")
    call = layer.call

    @tf.autograph.experimental.do_not_convert
    def watched(*args, **kwargs):
        result = call(*args, **kwargs)
        features = tf.nest.flatten(result)[place]
        tape.watch(features)
        captured[:] = [features]
        return result

    layer.call = watched
    try:
        yield captured
    finally:
        if own is None:
            del layer.call
        else:
            layer.call = own
