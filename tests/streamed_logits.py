"""A stream's logits, of a model and of its network rewritten for devices."""

import numpy as np
import tensorflow as tf

from grw_tf.models import StreamingModel


def model_logits(model, video):
    """Returns the streaming model's logits [frames, classes]."""
    stream = StreamingModel(model)
    states = stream.initial_states()
    step = tf.function(stream.step, autograph=False)
    all_logits = []
    for frame in video:
        image = tf.constant(frame[None, None], tf.float32) / 255
        logits, states = step(image, states)
        all_logits.append(stream.classify(states) if logits is None else logits)
    return np.concatenate(all_logits)


def network_logits(network, video):
    """Returns the logits after each step, and the last states."""
    states = {
        name: tf.zeros(spec.shape, spec.dtype)
        for name, spec in network.state_specs().items()
    }
    step = tf.function(network.step, autograph=False)
    all_logits = []
    for start in range(0, len(video), network.frames_per_step):
        image = video[start : start + network.frames_per_step]
        if network.image_dtype == "float32":
            image = image.astype(np.float32) / 255
        logits, states = step(tf.constant(image), states)
        all_logits.append(network.classify(states) if logits is None else logits)
    return np.concatenate(all_logits), states
