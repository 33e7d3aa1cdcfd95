"""Running an exported stream, with numpy and LiteRT alone."""

# First, for what it does at the end of the process is to come last.
from grw_tf.streaming import native_output as native_output
from grw_tf.streaming.session import StreamSession

__all__ = ["StreamSession"]
