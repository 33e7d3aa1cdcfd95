"""The variants that ship with the project: the overlays among its configs."""

from pathlib import Path

import grw_tf
from grw_tf.training.experiments.parsing import leaves, read_yaml

_OVERLAID = "task.model."


def configs_folder() -> Path:
    """Returns the folder of the project's configs.

    It is beside the package in a checkout, and within it when the package is installed.
    """
    package = Path(grw_tf.__file__).parent
    checkout = package.parent / "configs"
    return checkout if checkout.is_dir() else package / "configs"


def named_variants() -> dict[str, Path]:
    """Returns the overlays that change the model alone, by their names."""
    return {
        path.stem: path
        for path in sorted(configs_folder().glob("*.yaml"))
        if all(
            key.startswith(_OVERLAID) for key, _ in leaves(read_yaml(str(path)) or {})
        )
    }
