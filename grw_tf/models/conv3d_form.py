"""Which form the 3-D convolutions of a MoViNet are computed in."""

import tensorflow as tf
from official.vision.modeling.layers import nn_layers

from grw_tf.common.devices import only_cpus
from grw_tf.layers.frame_by_frame_conv3d import FrameByFrameConv3D
from grw_tf.models.config import BackboneConfig


def choose_conv3d(network: tf.Module, config: BackboneConfig) -> None:
    """Lets a built network's 3-D convolutions be sums of 2-D ones, if the config says.

    Where it leaves that open, they are on a machine whose only devices are CPUs. Which
    form is faster on a GPU or a TPU has not been measured; there they stay the Model
    Garden's.
    """
    by_frames = config.conv3d_by_frames
    if by_frames is None:
        by_frames = only_cpus()
    if not by_frames:
        return
    for layer in network.submodules:
        if type(layer) is nn_layers.Conv3D:
            # Blocks make their convolutions themselves, with variables and checkpoint
            # keys that must stay. Only `call` differs.
            layer.__class__ = FrameByFrameConv3D
