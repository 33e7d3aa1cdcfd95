"""What the variables in a checkpoint can be asked, whatever the checkpoint's form."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from grw_tf.models import ModelConfig


class Saved(Protocol):
    """The variables in a checkpoint, by the names that a model has for them.

    Attributes:
        prefix: The checkpoint's path, without `.index`.
        config: The saved model's config, known, recorded or inferred, or None.
        others: Names of what else there is.
    """

    prefix: str
    config: ModelConfig | None
    others: list[str]

    def is_movinet(self) -> bool:
        """Says whether the backbone begins as a MoViNet does."""

    def layer_count(self) -> int:
        """Returns the number of layers with weights in the backbone."""

    def has(self, part: str) -> bool:
        """Says whether there is a part: "backbone", "head" or "affine"."""

    def keys(self, names: Iterable[str]) -> dict[str, str | None]:
        """Returns each variable's key or None; names are in the network's order."""

    def keys_below(self, part: str, names: Iterable[str]) -> dict[str, str]:
        """Returns a name for each variable of a part, by its key.

        Where they fit, layers are called as in the names of a model's variables.
        """

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns a saved variable's shape."""

    def value(self, key: str) -> np.ndarray:
        """Returns a variable's value; a `ValueError` unless it has finite floats."""
