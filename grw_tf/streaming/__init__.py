"""Running an exported stream, with numpy and LiteRT alone."""

from grw_tf.streaming.session import StreamSession

__all__ = ["StreamSession"]
