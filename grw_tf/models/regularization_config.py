"""Regularizers that act in training besides GRW smoothing, as frozen dataclasses."""

import ast
import contextlib
import dataclasses

from grw_tf.common.suggestions import suggest
from grw_tf.layers.random_mean_scaling import check_scaling
from grw_tf.layers.shake_drop import check_shake
from grw_tf.layers.stochastic_depth import check_drop
from grw_tf.models.config_lists import make_tuples

REGULARIZERS = ("rms", "random_drop", "shake_drop", "own_layer", "cutmix", "mixup")


@contextlib.contextmanager
def _errors_prefixed(path):
    """Puts a path before the messages of errors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


@dataclasses.dataclass(frozen=True)
class RMSConfig:
    """Random Mean Scaling: where it acts, and the arguments of `RandomMeanScaling`.

    Attributes:
        before: Which parts of a block it comes before. In MoViNets and MobileNetV3,
            "expansion", "feature" and "projection" are the batch normalizations of the
            block's convolutions; with "_conv" at the end, the convolutions themselves,
            and with "_activation" their activations. In 3-D ResNets (SlowOnly,
            SlowFast, CSN), "conv1", "bn1" and "relu1" are the first convolution and
            what follows it, and so on; before the last ReLU means before the sum with
            the shortcut, as in the paper. Empty for the default: all batch
            normalizations, or only the last in bottlenecks, as in the paper.
        blocks: Names of blocks, such as "block4_layer1", or of stages, such as "block4"
            or "res5". Empty for the last two stages.
        filter, kernel_size, std, distribution, component, level: See
            `RandomMeanScaling`; the window is as wide in time as in space.
    """

    before: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    filter: str = "mean"
    kernel_size: int = 3
    std: float = 0.4
    distribution: str = "normal(1, 0.5)"
    component: str = "mean"
    level: str = "clip"

    def __post_init__(self) -> None:
        make_tuples(self, "regularization.rms", "before", "blocks")
        arguments = dataclasses.asdict(self)
        del arguments["before"], arguments["blocks"]
        with _errors_prefixed("regularization.rms"):
            check_scaling(**arguments)


@dataclasses.dataclass(frozen=True)
class RandomDropConfig:
    """Stochastic depth of whole batches, the arguments of `RandomDrop`.

    Attributes:
        rate: How often the last block's branch is dropped; earlier ones are dropped
            less often.
        level: See `RandomDrop`.
    """

    rate: float = 0.5
    level: str = "batch"

    def __post_init__(self) -> None:
        with _errors_prefixed("regularization.random_drop"):
            check_drop(self.rate, self.level)


@dataclasses.dataclass(frozen=True)
class ShakeDropConfig:
    """The arguments of `ShakeDrop`.

    Attributes:
        rate: How often the last block's branch is shaken; earlier ones are shaken less
            often.
        alpha, beta: Lowest and highest factor, see `ShakeDrop`.
        level: See `ShakeDrop`.
    """

    rate: float = 0.5
    alpha: tuple[float, ...] = (0.0, 0.0)
    beta: tuple[float, ...] = (0.0, 0.5)
    level: str = "pixel"

    def __post_init__(self) -> None:
        make_tuples(self, "regularization.shake_drop", "alpha", "beta")
        with _errors_prefixed("regularization.shake_drop"):
            check_shake(self.rate, self.alpha, self.beta, self.level)


def parse_arguments(text: str) -> dict:
    """Returns the keyword arguments of a text like "rate=0.1, level='clip'".

    Raises:
        ValueError: If it is anything else, or a value is not a literal.
    """
    try:
        match ast.parse(f"_({text})", mode="eval").body:
            case ast.Call(func=ast.Name(), args=[], keywords=words):
                return {word.arg: ast.literal_eval(word.value) for word in words}
        raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(
            f"{text!r:.80} is not of the form 'name=value, name=value' with plain"
            " values, such as 'rate=0.1'."
        ) from None


@dataclasses.dataclass(frozen=True)
class OwnLayerConfig:
    """A layer of your own that comes before batch normalizations, as RMS does.

    Attributes:
        layer: Name under which the layer's class is registered with Keras, such as
            "mine>ChannelDrop".
        arguments: The layer's arguments as in Python, such as "rate=0.1".
        before, blocks: See `RMSConfig`.
    """

    layer: str = ""
    arguments: str = ""
    before: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        make_tuples(self, "regularization.own_layer", "before", "blocks")
        with _errors_prefixed("regularization.own_layer.arguments"):
            parse_arguments(self.arguments)


@dataclasses.dataclass(frozen=True)
class CutMixConfig:
    """CutMix by the Model Garden: a rectangle of another clip in all frames.

    Labels are mixed by the rectangle's area before it is clipped at borders.

    Attributes:
        alpha: Parameter of the Beta(alpha, alpha) that shares are drawn from.
    """

    alpha: float = 1.0


@dataclasses.dataclass(frozen=True)
class MixupConfig:
    """Mixup by the Model Garden: a weighted mean with another clip, labels too.

    Attributes:
        alpha: Parameter of the Beta(alpha, alpha) that shares are drawn from; Zhang et
            al. have 0.2 for ImageNet.
    """

    alpha: float = 0.2


@dataclasses.dataclass(frozen=True)
class RegularizationConfig:
    """What acts in training besides GRW smoothing, even in a frozen backbone.

    The defaults of RMS, ShakeDrop's alpha and beta, and CutMix are those of the RMS
    paper (Table 2). Drop rates are those of the methods' own papers.

    Attributes:
        methods: Names of those that act: "rms", "random_drop", "shake_drop",
            "own_layer", "cutmix", "mixup". With both of the last two, each batch gets
            one or the other.
        rms, random_drop, shake_drop, own_layer, cutmix, mixup: How each acts.

    Raises:
        ValueError: At construction, for unknown names, and methods that exclude each
            other.
    """

    methods: tuple[str, ...] = ()
    rms: RMSConfig = RMSConfig()
    random_drop: RandomDropConfig = RandomDropConfig()
    shake_drop: ShakeDropConfig = ShakeDropConfig()
    own_layer: OwnLayerConfig = OwnLayerConfig()
    cutmix: CutMixConfig = CutMixConfig()
    mixup: MixupConfig = MixupConfig()

    def __post_init__(self) -> None:
        make_tuples(self, "regularization", "methods")
        for method in self.methods:
            if method not in REGULARIZERS:
                raise ValueError(
                    f"Unknown method {method!r:.80} in regularization.methods;"
                    f" {suggest(method, REGULARIZERS)}"
                )
        if {"random_drop", "shake_drop"} <= set(self.methods):
            raise ValueError(
                "regularization.methods has random_drop and shake_drop: both drop a"
                " block's branch, choose one."
            )
        if "own_layer" in self.methods and not self.own_layer.layer:
            raise ValueError(
                "regularization.methods has own_layer, and regularization.own_layer has"
                " no layer: give the name it is registered by."
            )
        for name in ("cutmix", "mixup"):
            alpha = getattr(self, name).alpha
            if not 0 < alpha < 100:
                raise ValueError(
                    f"regularization.{name}.alpha is {alpha}: it must be above 0 and"
                    " below 100."
                )
