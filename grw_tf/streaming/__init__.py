"""Runs an exported file with numpy and LiteRT alone."""

# First, because what it does at the end of the process must come last.
from grw_tf.streaming import native_output as native_output
from grw_tf.streaming.clip_classifier import ClipClassifier
from grw_tf.streaming.events import Event, EventRules, LabelEventRules
from grw_tf.streaming.session import StreamSession

__all__ = [
    "ClipClassifier",
    "Event",
    "EventRules",
    "LabelEventRules",
    "StreamSession",
]
