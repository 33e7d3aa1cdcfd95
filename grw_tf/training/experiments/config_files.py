"""Finds config files by path, and shipped ones by name."""

from pathlib import Path, PurePath

import tensorflow as tf

import grw_tf
from grw_tf.common.suggestions import nearest_name

_FOLDER = "configs"
_SUFFIX = ".yaml"


def configs_folder() -> Path:
    """Returns the folder of the project's configs.

    It is beside the package in a checkout, and within it when the package is installed.
    """
    package = Path(grw_tf.__file__).parent
    checkout = package.parent / _FOLDER
    return checkout if checkout.is_dir() else package / _FOLDER


def shipped_configs() -> dict[str, Path]:
    """Returns the project's configs by name, such as "own_clips"."""
    paths = sorted(configs_folder().glob(f"*{_SUFFIX}"))
    return {path.stem: path for path in paths}


def config_path(file: str) -> str:
    """Returns the path of a config.

    Args:
        file: A path; or the name of a shipped config, "own_clips", also written as its
            path in a checkout, "configs/own_clips.yaml". A file that exists at this
            path takes precedence.

    Raises:
        ValueError: If it is a name, but not of a shipped config.
    """
    if tf.io.gfile.exists(file) and not tf.io.gfile.isdir(file):
        return file
    path, shipped = PurePath(file), shipped_configs()
    is_name = file == path.stem
    if (is_name or file == f"{_FOLDER}/{path.name}") and path.stem in shipped:
        return str(shipped[path.stem])
    if is_name:
        near = nearest_name(file, shipped)
        hint = f"did you mean {near!r}? " if near else ""
        raise ValueError(
            f"There is no config file {file!r:.200}, nor a shipped config of this name;"
            f" {hint}Shipped: {', '.join(shipped)}."
        )
    return file
