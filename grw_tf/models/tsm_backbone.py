"""MobileNetV3 with temporal shifts, by which frames see earlier ones.

Reference: Lin et al., TSM: Temporal Shift Module for Efficient Video Understanding,
ICCV 2019; Howard et al., Searching for MobileNetV3, ICCV 2019.
"""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from grw_tf.layers.temporal_shift import TemporalShift
from grw_tf.models import mobilenet_backbone
from grw_tf.models.config import ModelConfig
from grw_tf.models.families import NORM_MOMENTUM, Family, register
from grw_tf.models.mobilenet_backbone import (
    SHIFTED_PREFIX,
    MobileNetV3,
    block_name,
    endpoints_of,
    scaled,
)

MODEL_IDS = tuple(
    SHIFTED_PREFIX + model_id for model_id in mobilenet_backbone.MODEL_IDS
)

FRAMES = "frames"
"""What the frames are called among the network's inputs; the others are states."""


class ShiftedMobileNetV3(MobileNetV3):
    """A MobileNetV3 with a `TemporalShift` in each block that has a shortcut.

    The shift comes before the block's first convolution, within the branch, so that the
    shortcut carries all of a frame on. Shifts are from the past alone, as for streams.

    Args, endpoints: As `MobileNetV3`.

    Attributes:
        network: The functional model from a dict of frames [batch * time, size, size,
            3] and states to endpoints and new states.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        batch = tf.shape(inputs)[0]
        start = {
            name: tf.zeros((batch, *spec.shape[1:]), spec.dtype)
            for name, spec in self.state_specs(None).items()
        }
        endpoints, _ = self.step(inputs, start, training)
        return endpoints

    def step(
        self,
        inputs: tf.Tensor,
        states: Mapping[str, tf.Tensor],
        training: bool | tf.Tensor | None = None,
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Takes in the next frames of streams.

        Args:
            inputs: [batch, time, size, size, 3] in 0..1.
            states: As `state_specs`, zeros before the first frames.
            training: As of a call.

        Returns:
            (endpoints [batch, time, height, width, channels], new states).
        """
        frames = tf.reshape(inputs, (-1, *inputs.shape[2:]))
        endpoints, new = self.network(
            {FRAMES: scaled(frames), **states}, training=training
        )
        return {
            name: tf.reshape(x, (-1, inputs.shape[1], *x.shape[1:]))
            for name, x in endpoints.items()
        }, new

    def state_specs(self, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the specs of the states of streams.

        Args:
            batch_size: Streams side by side; None leaves it open.
        """
        return {
            name: tf.TensorSpec((batch_size, *tensor.shape[1:]), self.compute_dtype)
            for name, tensor in self.network.input.items()
            if name != FRAMES
        }

    def _build_network(self, whole):
        """Returns a graph of the same layers with shifts between them."""
        standing_for = {id(whole.input): whole.input}
        inputs, new = {FRAMES: whole.input}, {}
        # Before the layers are called again.
        nodes = [(layer, layer.inbound_nodes[0]) for layer in whole.layers[1:]]
        for layer, node in nodes:
            arguments, named = tf.nest.map_structure(
                lambda tensor: standing_for.get(id(tensor), tensor),
                (node.call_args, node.call_kwargs),
            )
            if _begins_a_branch(layer, whole):
                (x,) = arguments
                state = f"state_{block_name(layer)}_shift"
                shift = TemporalShift(name=f"{block_name(layer)}_shift")
                _, height, width, channels = x.shape
                shape = (height, width, channels // shift.fraction)
                inputs[state] = tf_keras.Input(shape, name=state)
                shifted, new[state] = shift(x, inputs[state])
                arguments = (shifted,)
            standing_for[id(node.outputs)] = layer(*arguments, **named)
        endpoints = endpoints_of(whole, lambda tensor: standing_for[id(tensor)])
        return tf_keras.Model(inputs, (endpoints, new), name="network")


def _begins_a_branch(layer, whole):
    """Returns whether a layer is the first convolution of a block with a shortcut."""
    block, _, part = layer.name.partition("/")
    return part == "expand" and f"{block}/Add" in {one.name for one in whole.layers}


def _state_specs(
    backbone: ShiftedMobileNetV3, config: ModelConfig, batch_size: int | None
) -> dict[str, tf.TensorSpec]:
    del config
    return backbone.state_specs(batch_size)


def _stream_step(
    backbone: ShiftedMobileNetV3, frames: tf.Tensor, states: Mapping[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    own = {name: states[name] for name in backbone.state_specs(None)}
    endpoints, new = backbone.step(frames, own, training=False)
    return endpoints["head"], {**states, **new}


register(
    Family(
        "tsm",
        MODEL_IDS,
        build=lambda config: ShiftedMobileNetV3(config.backbone, config.size),
        residual_blocks=mobilenet_backbone.residual_blocks,
        fixed=mobilenet_backbone.FIXED,
        norm_momentum=NORM_MOMENTUM,
        head_hidden_channels=mobilenet_backbone.head_hidden_channels,
        state_specs=_state_specs,
        stream_step=_stream_step,
    )
)
