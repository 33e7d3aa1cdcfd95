"""The complete description of a model, as one frozen dataclass."""

import dataclasses
import difflib
import json
import typing
from collections.abc import Mapping

from grw_tf.random_walk import orders as orders_lib
from grw_tf.random_walk import windows

HEAD_TYPES = ("official", "transformer", "causal_transformer")
CONV_TYPES = ("2plus1d", "3d_2plus1d", "3d")
SE_TYPES = ("2plus3d", "3d", "2d", "none")
GATING_ACTIVATIONS = ("hard_sigmoid_keras", "hard_sigmoid_relu6", "sigmoid")


def _check_range(name, value, least, most):
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value}.")


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
    """A Model Garden `Movinet`, by its own argument names.

    Attributes:
      model_id: "a0" to "a5", "t0", or "nano" for toy data.
      causal: whether it is a stream model (frames see only earlier ones).
      conv_type: "2plus1d", "3d" or "3d_2plus1d".
      se_type: "2plus3d", "3d", "2d" or "none".
      activation: of the network, by name.
      gating_activation: of the squeeze excitation: "hard_sigmoid_keras"
        (clip(0.2 x + 0.5), official and published stream weights),
        "hard_sigmoid_relu6" (relu6(x + 3) / 6, what "hard_sigmoid" means in today's
        Model Garden) or "sigmoid" (base models).
      use_positional_encoding: as official A3-A5 stream models have.
      stochastic_depth_drop_rate: of the last block; earlier ones have less.
    """

    model_id: str = "a0"
    causal: bool = True
    conv_type: str = "2plus1d"
    se_type: str = "2plus3d"
    activation: str = "hard_swish"
    gating_activation: str = "hard_sigmoid_keras"
    use_positional_encoding: bool = False
    stochastic_depth_drop_rate: float = 0.0

    def __post_init__(self):
        for name, known in (
            ("conv_type", CONV_TYPES),
            ("se_type", SE_TYPES),
            ("gating_activation", GATING_ACTIVATIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"Unknown {name} {getattr(self, name)!r:.80}; known:"
                    f" {', '.join(known)}."
                )


@dataclasses.dataclass(frozen=True)
class HeadConfig:
    """The classifier.

    Attributes:
      type: "official" (the Model Garden's), "transformer" (the published GRW models')
        or "causal_transformer" (the same with causal attention).
      embed_dim: channels of the embeddings Z; 0 takes the backbone's. Transformers.
      depth: transformer blocks.
      num_heads: attention heads, dividing the embeddings' channels.
      mlp_dim: hidden channels of a transformer block.
      activation: of the official head's hidden layer, by name.
      dropout_rate: before the last dense layer.
      stochastic_depth_drop_rate: of transformer blocks.
    """

    type: str = "official"
    embed_dim: int = 0
    depth: int = 1
    num_heads: int = 8
    mlp_dim: int = 1024
    activation: str = "swish"
    dropout_rate: float = 0.0
    stochastic_depth_drop_rate: float = 0.0

    def __post_init__(self):
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


@dataclasses.dataclass(frozen=True)
class SmoothingConfig:
    """Where GRW smoothing attaches, and the arguments of `GRWSmoothing`.

    Attributes:
      layers: "final" (the embeddings Z of a transformer head) and names of backbone
        endpoints; empty for none.
      window, weight, alpha, warmup_steps, orders, max_orders, seed: see `GRWSmoothing`.
    """

    layers: tuple[str, ...] = ()
    window: int = 5
    weight: float = 0.1
    alpha: float = 0.5
    warmup_steps: int = 0
    orders: str = "auto"
    max_orders: int = 1000
    seed: int | None = None

    def __post_init__(self):
        if isinstance(self.layers, str):
            raise ValueError(
                "smoothing.layers must be a list of names, got the string"
                f" {self.layers!r}."
            )
        object.__setattr__(self, "layers", tuple(self.layers))


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model, completely: what it takes to build it and to feed it.

    Attributes:
      backbone: the MoViNet.
      head: the classifier.
      smoothing: the regulariser.
      num_classes: number of classes.
      frames: frames of a clip, N.
      size: height and width of a frame, in pixels.
      fps: frames a second at which clips are sampled.

    Raises:
      ValueError: at construction, for values that no model can have.
    """

    backbone: BackboneConfig = BackboneConfig()
    head: HeadConfig = HeadConfig()
    smoothing: SmoothingConfig = SmoothingConfig()
    num_classes: int = 600
    frames: int = 50
    size: int = 172
    fps: float = 5.0

    def __post_init__(self):
        for name, most in (
            ("num_classes", 2**20),
            ("frames", 10_000),
            ("size", 10_000),
        ):
            _check_range(name, getattr(self, name), 1, most)
        if not self.fps > 0:
            raise ValueError(f"fps must be positive, got {self.fps}.")
        if self.smoothing.layers:
            orders_lib.choose_method(
                self.smoothing.window, self.smoothing.orders, self.smoothing.max_orders
            )
            windows.count_windows(self.frames, self.smoothing.window)

    def to_json(self):
        """Returns the config as a JSON string."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text):
        """Reads what `to_json` wrote.

        Raises:
          ValueError: for an unknown key, with the nearest known one, or bad values.
        """
        try:
            return _from_dict(cls, json.loads(text), "")
        except RecursionError:
            raise ValueError("The model config is nested too deeply.") from None


def _fits(value, wanted):
    """Says whether a JSON value is of a field's type; whole numbers are floats too."""
    if typing.get_origin(wanted) is tuple:
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    accepted = typing.get_args(wanted) or (wanted,)
    if float in accepted:
        accepted += (int,)
    if isinstance(value, bool):
        return bool in accepted
    return isinstance(value, accepted)


def _from_dict(cls, values, path):
    if not isinstance(values, Mapping):
        where = repr(path.removesuffix(".")) if path else "the config"
        raise ValueError(f"{where} must be a mapping, got {values!r}.")
    types = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        if key not in types:
            near = difflib.get_close_matches(key, types, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {sorted(types)}."
            raise ValueError(f"Unknown key {path + key!r} in the model config; {hint}")
        if dataclasses.is_dataclass(types[key]):
            value = _from_dict(types[key], value, f"{path}{key}.")
        elif not _fits(value, types[key]):
            raise ValueError(
                f"{path}{key} in the model config must be of type"
                f" {getattr(types[key], '__name__', types[key])}, got {value!r}."
            )
        arguments[key] = value
    return cls(**arguments)
