"""The complete description of a model, as one frozen dataclass."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import Any

from grw_tf.common.output_activation import (
    SIGMOID,
    SOFTMAX,
    check_output_activation,
)
from grw_tf.common.typed_mapping import MappingReader
from grw_tf.frames.geometry import (
    SHORT_SIDE,
    UNRECORDED_FIT,
    FrameGeometry,
    check_fit,
)
from grw_tf.models.config_lists import make_tuples
from grw_tf.models.conventions import TENSORFLOW, Conventions
from grw_tf.models.families import Family, family_of
from grw_tf.models.regularization_config import RegularizationConfig
from grw_tf.random_walk import orders as orders_lib
from grw_tf.random_walk import windows

HEAD_TYPES = ("official", "mean", "transformer", "causal_transformer")
_MOST_FPS = 1000
_READER = MappingReader(lambda config_class, values, _: config_class(**values))


def _check_range(name, value, least, most):
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value}.")


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
    """A backbone: a Model Garden `Movinet` by its own argument names, or another.

    Other families, such as SlowOnly and MobileNetV3, fix the fields from `causal` to
    `use_positional_encoding` to one value each (`grw_tf.models.families`).

    Attributes:
        model_id: "a0" to "a5" or "t0" for MoViNets; "slowonly_34", "slowonly_50",
            "slowfast_50_8x8", "slowfast_50_4x16", "csn_ip_50", "csn_ir_50",
            "mobilenet_v3_small" or "mobilenet_v3_large", with "tsm_" before them for
            temporal shifts; and for toy data "nano" (a
            MoViNet), "slowonly_nano" (basic blocks), "slowonly_nano_bottleneck",
            "slowfast_nano" and "csn_nano".
        causal: Whether it is a stream model (frames see only earlier ones).
        conv_type: "2plus1d", "3d" or "3d_2plus1d" ("2d" if frames are seen one by one).
        se_type: "2plus3d", "3d", "2d" or "none".
        activation: Name of the network's activation.
        gating_activation: Activation of the squeeze excitation: "hard_sigmoid_keras"
            (clip(0.2 x + 0.5), official and published stream weights),
            "hard_sigmoid_relu6" (relu6(x + 3) / 6, what "hard_sigmoid" means in today's
            Model Garden) or "sigmoid" (base models).
        use_positional_encoding: Whether positions are encoded, as in the official A3-A5
            stream models.
        stochastic_depth_drop_rate: Drop rate of the last block; earlier blocks have
            lower ones.
        norm_momentum: Momentum of the moving statistics of batch normalizations, from 0
            to below 1. None takes the family's, 0.99 for MoViNets. It only affects
            training.
        conv3d_by_frames: Whether a MoViNet's 3-D convolutions ("3d", "3d_2plus1d") and
            the depthwise ones of a CSN are computed as sums of 2-D ones, with the same
            numbers and many times faster on a CPU. None: on a machine without other
            devices.
        recompute: Whether training keeps only the inputs of blocks and computes their
            activations again in the backward pass, with the same numbers, in less
            memory and more time. Not for MobileNetV3.
        implementation: The code that a 3-D ResNet's weights come from, which decides
            how it normalizes frames and pads: "tensorflow" (trained here or in the
            Model Garden), "pytorchvideo" (or SlowFast's own code; not for CSN) or
            "mmaction2" (`grw_tf.models.conventions`).

    Raises:
        ValueError: At construction, for an unknown model id or a value that the family
            cannot have.
    """

    model_id: str = "a0"
    causal: bool = True
    conv_type: str = "2plus1d"
    se_type: str = "2plus3d"
    activation: str = "hard_swish"
    gating_activation: str = "hard_sigmoid_keras"
    use_positional_encoding: bool = False
    stochastic_depth_drop_rate: float = 0.0
    norm_momentum: float | None = None
    conv3d_by_frames: bool | None = None
    recompute: bool = False
    implementation: str = TENSORFLOW

    def __post_init__(self) -> None:
        momentum = self.norm_momentum
        if momentum is None:
            momentum = self.family.norm_momentum
            object.__setattr__(self, "norm_momentum", momentum)
        if not 0 <= momentum < 1:
            raise ValueError(
                f"backbone.norm_momentum must be from 0 to below 1, got {momentum}."
            )
        self.family.check(self)

    @property
    def family(self) -> Family:
        """The kind of network, such as "movinet" or "slowonly"."""
        return family_of(self.model_id)

    @property
    def conventions(self) -> Conventions:
        """What the implementation does in its own way."""
        return self.family.implementations[self.implementation]

    @classmethod
    def of_family(cls, model_id: str, **changes: Any) -> "BackboneConfig":
        """Returns a model id's config with what its family fixes.

        Args:
            model_id: A model id of a family.
            **changes: Other fields.
        """
        return cls(model_id, **{**family_of(model_id).fixed, **changes})


@dataclasses.dataclass(frozen=True)
class HeadConfig:
    """The classifier.

    Attributes:
        type: "official" (by the backbone's authors: the Model Garden's for a MoViNet;
            otherwise a mean over time and space, a hidden layer for MobileNetV3, and a
            dense layer), "transformer" (the published GRW models'),
            "causal_transformer" (the same with causal attention) or "mean" (a dense
            layer on the mean of the embeddings Z over time).
        embed_dim: Channels of the embeddings Z of a mean or transformer head; 0 takes
            the backbone's.
        depth: Number of transformer blocks.
        num_heads: Number of attention heads, which divides the embeddings' channels.
        mlp_dim: Hidden channels of a transformer block.
        activation: Name of the activation of the official head's hidden layer.
        dropout_rate: Dropout rate before the last dense layer.
        stochastic_depth_drop_rate: Drop rate of the transformer blocks.
    """

    type: str = "official"
    embed_dim: int = 0
    depth: int = 1
    num_heads: int = 8
    mlp_dim: int = 1024
    activation: str = "swish"
    dropout_rate: float = 0.0
    stochastic_depth_drop_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.type not in HEAD_TYPES:
            raise ValueError(
                f"head.type must be one of {', '.join(HEAD_TYPES)}, got"
                f" {self.type!r:.80}."
            )
        for name, least, most in (
            ("embed_dim", 0, 2**16),
            ("depth", 0, 100),
            ("num_heads", 1, 2**16),
            ("mlp_dim", 1, 2**20),
        ):
            _check_range(f"head.{name}", getattr(self, name), least, most)

    @property
    def embeds(self) -> bool:
        """Whether it classifies embeddings Z of the frames."""
        return self.type != "official"

    @property
    def function(self) -> dict[str, Any]:
        """The fields that change its function but not its variables, by name."""
        acting = {"official": ["activation"], "mean": []}.get(self.type, ["num_heads"])
        return {name: getattr(self, name) for name in ["type", *acting]}


@dataclasses.dataclass(frozen=True)
class SmoothingConfig:
    """Where GRW smoothing attaches, and the arguments of `GRWSmoothing`.

    Attributes:
        layers: "final" (the embeddings Z of a mean or transformer head) and names of
            backbone endpoints; empty for none.
        window, weight, alpha, warmup_steps, orders, max_orders, seed: See
            `GRWSmoothing`.
    """

    layers: tuple[str, ...] = ()
    window: int = 5
    weight: float = 0.1
    alpha: float = 0.5
    warmup_steps: int = 0
    orders: str = "auto"
    max_orders: int = 1000
    seed: int | None = None

    def __post_init__(self) -> None:
        make_tuples(self, "smoothing", "layers")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a model and to feed it.

    Attributes:
        backbone: The network of frames.
        head: The classifier.
        smoothing: GRW smoothing.
        regularization: RMS and other regularizers.
        num_classes: Number of classes.
        output_activation: What turns the logits into scores, in the loss, the metrics
            and exported files alike: "softmax" for one class a clip, or "sigmoid" for
            any number of classes a clip, each with its own score. One class with a
            sigmoid is a binary classifier.
        frames: Frames of a clip, N.
        size: Height and width of a frame, in pixels.
        fps: Frames per second at which clips are sampled.
        frame_fit: How a frame becomes a square of `size` pixels, in training,
            evaluation and exported files alike: "short_side" keeps its aspect and crops
            the middle, as the official MoViNets were trained; "square" squashes it
            first, as the published GRW models do (`grw_tf.frames.geometry`).

    Raises:
        ValueError: At construction, for values that no model can have.
    """

    # Not a shared default: families are registered after this module is imported.
    backbone: BackboneConfig = dataclasses.field(default_factory=BackboneConfig)
    head: HeadConfig = HeadConfig()
    smoothing: SmoothingConfig = SmoothingConfig()
    regularization: RegularizationConfig = dataclasses.field(
        default_factory=RegularizationConfig
    )
    num_classes: int = 600
    output_activation: str = SOFTMAX
    frames: int = 50
    size: int = 172
    fps: float = 5.0
    frame_fit: str = SHORT_SIDE

    def __post_init__(self) -> None:
        for name, most in (
            ("num_classes", 2**20),
            ("frames", 10_000),
            ("size", 10_000),
        ):
            _check_range(name, getattr(self, name), 1, most)
        if not 0 < self.fps <= _MOST_FPS:
            raise ValueError(
                f"fps must be above 0 and at most {_MOST_FPS}, got {self.fps}."
            )
        check_fit(self.frame_fit)
        check_output_activation(self.output_activation)
        drops = {"random_drop", "shake_drop"} & set(self.regularization.methods)
        if drops and self.backbone.stochastic_depth_drop_rate:
            raise ValueError(
                f"regularization.methods has {min(drops)} and"
                " backbone.stochastic_depth_drop_rate is"
                f" {self.backbone.stochastic_depth_drop_rate}: both drop a block's"
                " branch, choose one."
            )
        if self.backbone.recompute and "own_layer" in self.regularization.methods:
            raise ValueError(
                "backbone.recompute is true and regularization.methods has own_layer:"
                " whether that layer draws the same numbers in both passes is not"
                " known; leave one out."
            )
        if self.smoothing.layers:
            orders_lib.choose_method(
                self.smoothing.window, self.smoothing.orders, self.smoothing.max_orders
            )
            windows.count_windows(self.frames, self.smoothing.window)

    @property
    def has_several_labels(self) -> bool:
        """Whether a clip may have any number of classes, rather than one."""
        return self.output_activation == SIGMOID

    @property
    def backbone_pools_time(self) -> bool:
        """Whether the backbone pools over time, as MoViNet's official head needs."""
        return not self.head.embeds and self.backbone.family.has_model_garden_head

    @property
    def frame_geometry(self) -> FrameGeometry:
        """Where frames of any size end up in the square that the model sees."""
        return FrameGeometry(self.size, self.frame_fit)

    def to_json(self) -> str:
        """Returns the config as a JSON string."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str, where: str = "this model's config") -> "ModelConfig":
        """Reads what `to_json` wrote.

        Args:
            text: JSON. Missing fields have their defaults, except `frame_fit`: older
                configs do not record it, and are read as "square", with which their
                models were evaluated and exported. A warning says so.
            where: What holds the text, to name it in the warning.

        Raises:
            ValueError: For an unknown key, with the nearest known one, or bad values.
        """
        try:
            values = json.loads(text)
            if isinstance(values, Mapping) and "frame_fit" not in values:
                logging.warning(
                    "No frame_fit is recorded in %s, which is older than that: it is"
                    " read as %r, with which its model was evaluated and exported.",
                    where,
                    UNRECORDED_FIT,
                )
                values = {**values, "frame_fit": UNRECORDED_FIT}
            return _READER.read(values, cls)
        except RecursionError:
            raise ValueError("The model config is nested too deeply.") from None
