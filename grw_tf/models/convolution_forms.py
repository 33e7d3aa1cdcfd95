"""Which form the convolutions of a MoViNet are computed in."""

import tensorflow as tf
from official.projects.movinet.modeling import movinet_layers
from official.vision.modeling.layers import nn_layers

from grw_tf.common.devices import only_cpus
from grw_tf.layers.frame_by_frame_conv3d import FrameByFrameConv3D
from grw_tf.layers.static_mobile_conv2d import StaticMobileConv2D
from grw_tf.models.config import BackboneConfig


def choose_convolutions(network: tf.Module, config: BackboneConfig) -> None:
    """Gives a built network's convolutions other forms, with the same numbers.

    2-D convolutions fold frames by static shapes. 3-D convolutions become sums of 2-D
    ones, if the config says so. Where it leaves that open, they do on a machine whose
    only devices are CPUs. Which form is faster on a GPU or a TPU has not been measured;
    there they stay the Model Garden's.
    """
    by_frames = config.conv3d_by_frames
    if by_frames is None:
        by_frames = only_cpus()
    forms: dict[type, type] = {movinet_layers.MobileConv2D: StaticMobileConv2D}
    if by_frames:
        forms[nn_layers.Conv3D] = FrameByFrameConv3D
    for layer in network.submodules:
        # Blocks make their convolutions themselves, with variables and checkpoint keys
        # that must stay. Only `call` differs.
        if type(layer) in forms:
            layer.__class__ = forms[type(layer)]
