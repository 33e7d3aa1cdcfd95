"""The rows of the table."""

import dataclasses
from collections.abc import Iterable, Sequence

from grw_tf.common.text_table import markdown_table
from grw_tf.cost_table.measure import ModelCost
from grw_tf.cost_table.published import BY_MEMORY, Published, find
from grw_tf.models import ModelConfig

_GIGA, _MEGA = 1e9, 1e6
HEADER = (
    "model",
    "clip",
    "M parameters: backbone",
    "head",
    "GFLOPs a video",
    "in the head",
    "with norm.",
    "published",
    "deviation",
    "MFLOPs a frame",
    "MB at peak",
    "states",
    "weights",
    "published",
    "notes",
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A model's config, its cost, and its published figures."""

    name: str
    config: ModelConfig
    cost: ModelCost

    @property
    def published(self) -> Published | None:
        """The model's published figures, None without any."""
        return find(self.name)

    @property
    def gflops(self) -> float:
        """Multiply-adds of a video, in 10^9."""
        return self.cost.multiply_adds / _GIGA

    @property
    def gflops_with_norm(self) -> float:
        """`gflops` with one more multiply-add for each output of a convolution."""
        return self.gflops + self.cost.convolution_outputs / _GIGA

    @property
    def deviation(self) -> float | None:
        """The relative deviation of `gflops` from the published figure."""
        published = self.published
        if not (published and published.gflops):
            return None
        return self.gflops / published.gflops - 1

    def cells(self, notes: Iterable[str]) -> list[str]:
        """Returns the cells under `HEADER`; `notes` are marks of footnotes."""
        cost, config, published = self.cost, self.config, self.published
        return [
            self.name,
            f"{config.frames} x {config.size}²",
            f"{cost.backbone_parameters / _MEGA:.2f}",
            f"{cost.head_parameters / _MEGA:.2f}",
            f"{self.gflops:.2f}",
            f"{cost.head_multiply_adds / _GIGA:.3f}",
            f"{self.gflops_with_norm:.2f}",
            _or_nothing(published and published.gflops, "g"),
            _or_nothing(self.deviation, "+.1%"),
            f"{cost.frame_multiply_adds / _MEGA:.1f}",
            f"{cost.peak_bytes / _MEGA:.1f}",
            f"{cost.state_bytes / _MEGA:.1f}",
            f"{cost.weight_bytes / _MEGA:.1f}",
            _or_nothing(published and published.memory_mb, "g"),
            " ".join(notes),
        ]

    def to_dict(self) -> dict:
        """Returns all figures in types that JSON has."""
        published = self.published
        return {
            "model": self.name,
            "frames": self.config.frames,
            "size": self.config.size,
            **dataclasses.asdict(self.cost),
            "multiply_adds": self.cost.multiply_adds,
            "published": dataclasses.asdict(published) if published else None,
            "deviation": self.deviation,
        }


MEMORY_DEFINITIONS = {
    "activations and states at peak": lambda cost: cost.peak_bytes,
    "with weights": lambda cost: cost.peak_bytes + cost.weight_bytes,
    "memory never used twice": lambda cost: cost.unshared_bytes,
    "clip at once": lambda cost: cost.clip_peak_bytes,
}
"""Possible definitions of peak memory: functions from a model's cost to bytes."""


def memory_table(rows: Sequence[Row]) -> str:
    """Returns a table of published memory and of each definition's, in MB."""
    published = {row.preset: row.memory_mb for row in BY_MEMORY}
    shown = [row for row in rows if row.name in published]
    if not shown:
        return ""
    cells = [
        [
            row.name,
            f"{published[row.name]:g}",
            *(f"{of(row.cost) / _MEGA:.1f}" for of in MEMORY_DEFINITIONS.values()),
        ]
        for row in shown
    ]
    spread = ["from the published", ""]
    for of in MEMORY_DEFINITIONS.values():
        ratios = [of(row.cost) / _MEGA / published[row.name] - 1 for row in shown]
        least, most = f"{min(ratios):+.0%}", f"{max(ratios):+.0%}"
        spread.append(least if least == most else f"{least} to {most}")
    return markdown_table(("model", "published", *MEMORY_DEFINITIONS), [*cells, spread])


def _or_nothing(value, form):
    return "" if value is None else format(value, form)
