"""The weights in a PyTorch file, as those in a checkpoint are seen."""

from collections.abc import Iterable

import numpy as np

from grw_tf.models import ModelConfig
from grw_tf.models.families import MOVINET
from grw_tf.weights.torch.importing import read_torch_weights


class TorchVariables:
    """The variables of a PyTorch file; see `SavedVariables`, which it stands in for.

    Attributes:
        prefix: The file's path.
        config: The config of the model that the file holds.
        others: Nothing: the file holds no more than the model.

    Raises:
        ValueError, OSError: As `read_torch_weights`.
    """

    def __init__(self, path: str):
        imported = read_torch_weights(path)
        self.prefix = path
        self.config: ModelConfig | None = imported.config
        self.others: list[str] = []
        self._family = imported.config.backbone.family.name
        self._values = imported.values

    def is_movinet(self) -> bool:
        """Says whether it is a MoViNet."""
        return self._family == MOVINET

    def layer_count(self) -> int:
        """Returns the number of layers with weights in the backbone."""
        names = (name.split("/") for name in self._values)
        return len({path[1] for path in names if path[0] == "backbone"})

    def has(self, part: str) -> bool:
        """Says whether there is a part: "backbone", "head" or "affine"."""
        return any(name.startswith(f"{part}/") for name in self._values)

    def keys(self, names: Iterable[str]) -> dict[str, str | None]:
        """Returns each variable's key, which is its name, or None."""
        return {name: name if name in self._values else None for name in names}

    def keys_below(self, part: str, names: Iterable[str]) -> dict[str, str]:
        """Returns a name for each variable of a part, by its key."""
        return {name: name for name in self._values if name.startswith(f"{part}/")}

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns a variable's shape."""
        return self._values[key].shape

    def value(self, key: str) -> np.ndarray:
        """Returns a variable's value."""
        return self._values[key]
