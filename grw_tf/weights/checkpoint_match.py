"""What of a model a checkpoint holds: matched, missing, unused, shape differs."""

import dataclasses

from grw_tf.models import ModelConfig
from grw_tf.weights.model_variables import CONVERTIBLE, model_layout, with_conv_type

_SHOWN = 4


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Of a part of a model with a checkpoint.

    Attributes:
        matched: The checkpoint's key by the name of each variable it has in its shape,
            or in one that is converted.
        missing: Names of the model that the checkpoint lacks.
        unused: Names of the checkpoint that the model lacks.
        reshaped: (saved shape, the model's) by name where they differ.
    """

    matched: dict[str, str]
    missing: list[str]
    unused: list[str]
    reshaped: dict[str, tuple]

    @property
    def differences(self):
        """How many variables differ."""
        return len(self.missing) + len(self.unused) + len(self.reshaped)

    def table(self):
        """Returns counts, and the first names of what differs, as lines of text."""
        return "\n".join(
            f"  {title:14}{len(names):5d}  {_shortened(names)}".rstrip()
            for title, names in self._rows()
        )

    def line(self):
        """Returns what `table` does, as one line."""
        return "; ".join(
            f"{title} {len(names)} {_shortened(names)}".rstrip()
            for title, names in self._rows()
        )

    def _rows(self):
        reshaped = [
            f"{name} (saved {list(saved)}, model {list(built)})"
            for name, (saved, built) in self.reshaped.items()
        ]
        return (
            ("matched", self.matched),
            ("missing", self.missing),
            ("unused", self.unused),
            ("shape differs", reshaped),
        )


def _shortened(names):
    if isinstance(names, dict):
        return ""
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


def compare(saved, config: ModelConfig, parts, convert=True) -> Comparison:
    """Compares parts of a model with those in a checkpoint.

    Args:
        saved: The checkpoint's `SavedVariables`.
        config: The model's config.
        parts: Of "backbone", "affine", "head".
        convert: Whether variables of one of the `CONVERTIBLE` convolution types match
            those of the other.

    Returns:
        A `Comparison`.
    """
    conv_type = config.backbone.conv_type
    tried = CONVERTIBLE if convert and conv_type in CONVERTIBLE else (conv_type,)
    found = [
        _compare_as(saved, with_conv_type(config, saved_type), config, parts)
        for saved_type in tried
    ]
    return min(found, key=lambda comparison: comparison.differences)


def _compare_as(saved, saved_config, config, parts):
    layout = model_layout(config)
    # The same variables in the same order, by the names the checkpoint has for them.
    expected = model_layout(saved_config)
    keys = saved.keys(expected)
    found = Comparison({}, [], [], {})
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
