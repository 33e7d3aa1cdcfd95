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
    states = initial_states(network)
    step = tf.function(network.step, autograph=False)
    all_logits = []
    for start in range(0, len(video), network.frames_per_step):
        image = video[start : start + network.frames_per_step]
        if network.image_dtype == "float32":
            image = image.astype(np.float32) / 255
        logits, states = step(tf.constant(image), states)
        all_logits.append(network.classify(states) if logits is None else logits)
    return np.concatenate(all_logits), states


def initial_states(network):
    """Returns the states of a stream that has seen no frame."""
    specs = network.state_specs()
    return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def assert_logits_close(actual, expected, share=1e-5):
    """Fails if logits differ by more than a share of the largest."""
    atol = share * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)
