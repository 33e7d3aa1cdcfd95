"""Which variables of a model a checkpoint holds, lacks, or has in another shape."""

import dataclasses
from collections.abc import Iterable, Mapping

from grw_tf.common.first_few import first_few
from grw_tf.models import ModelConfig
from grw_tf.weights.model_variables import CONVERTIBLE, model_layout, with_backbone
from grw_tf.weights.saved import Saved

_SHOWN = 4


@dataclasses.dataclass(frozen=True)
class CheckpointMatch:
    """The variables of parts of a model, matched with those of a checkpoint.

    Attributes:
        matched: The checkpoint's key by variable name, for each variable that it has in
            the model's shape or in one that can be converted.
        missing: Names of the model's variables that the checkpoint lacks.
        unused: Names of the checkpoint's variables that the model lacks.
        reshaped: (saved shape, model's shape) by name, where they differ.
    """

    matched: dict[str, str]
    missing: list[str]
    unused: list[str]
    reshaped: dict[str, tuple]

    @property
    def differences(self) -> int:
        """The number of variables that differ."""
        return len(self.missing) + len(self.unused) + len(self.reshaped)

    def table(self) -> str:
        """Returns counts and the first differing names, as lines of text."""
        rows = (f"  {title:14}{n:5d}  {names}" for title, n, names in self._rows())
        return "\n".join(map(str.rstrip, rows))

    def line(self) -> str:
        """Returns the content of `table` in one line."""
        rows = (f"{title} {n} {names}" for title, n, names in self._rows())
        return "; ".join(map(str.rstrip, rows))

    def _rows(self):
        """Yields titles, counts and the first names."""
        yield "matched", len(self.matched), ""
        differing = {"missing": self.missing, "unused": self.unused}
        differing["shape differs"] = [
            f"{name} (saved {list(saved)}, model {list(built)})"
            for name, (saved, built) in self.reshaped.items()
        ]
        for title, names in differing.items():
            yield title, len(names), first_few(names, _SHOWN)


def match_shapes(
    saved: Mapping[str, tuple], wanted: Mapping[str, tuple]
) -> CheckpointMatch:
    """Matches saved with wanted variables of the same names, by their shapes."""
    both = {name: (saved[name], wanted[name]) for name in wanted if name in saved}
    return CheckpointMatch(
        matched={name: name for name, (was, now) in both.items() if was == now},
        missing=[name for name in wanted if name not in saved],
        unused=[name for name in saved if name not in wanted],
        reshaped={name: pair for name, pair in both.items() if pair[0] != pair[1]},
    )


def match_checkpoint(
    saved: Saved,
    config: ModelConfig,
    parts: Iterable[str],
    convert: bool = True,
) -> CheckpointMatch:
    """Matches a model's "backbone", "affine" or "head" with those in a checkpoint.

    With `convert`, variables of one of the `CONVERTIBLE` convolution types match those
    of the other.
    """
    conv_type = config.backbone.conv_type
    tried = CONVERTIBLE if convert and conv_type in CONVERTIBLE else (conv_type,)
    found = [
        _match_as(saved, with_backbone(config, conv_type=saved_type), config, parts)
        for saved_type in tried
    ]
    return min(found, key=lambda match: match.differences)


def _match_as(saved, saved_config, config, parts):
    layout = model_layout(config)
    # The same variables in the same order, by their names in the checkpoint.
    expected = model_layout(saved_config)
    keys = saved.keys(expected)
    found = CheckpointMatch({}, [], [], {})
    for (name, shape), (saved_name, saved_shape) in zip(
        layout.items(), expected.items(), strict=True
    ):
        if name.split("/")[0] not in parts:
            continue
        key = keys[saved_name]
        if key is None:
            found.missing.append(name)
        elif saved.shape(key) != saved_shape:
            found.reshaped[name] = (saved.shape(key), shape)
        else:
            found.matched[name] = key
    for part in parts:
        if saved.has(part):
            used = set(keys.values())
            below = saved.keys_below(part, expected)
            found.unused.extend(n for key, n in below.items() if key not in used)
    return found
