"""Labeled clips as a TFDS data set, converted by Apache Beam on many machines.

Importing this package registers the data set, so that `tfds build labelled_clips
--imports=grw_tf.data.labelled_clips` finds it. Only building needs Beam.
"""

from grw_tf.data.labelled_clips.builder import LabelledClips
from grw_tf.data.labelled_clips.config import LabelledClipsConfig

__all__ = ["LabelledClips", "LabelledClipsConfig"]
