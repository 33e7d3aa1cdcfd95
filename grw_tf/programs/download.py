"""Downloads published weights into the cache, once, or lists them.

    grw-download --list
    grw-download --name=movinet_a0_stream
    grw-download --name=a0s_grw

The cache is $GRW_TF_CACHE, or ~/.cache/grw_tf.
"""

import dataclasses

from grw_tf.common import flags
from grw_tf.common.text_table import text_table
from grw_tf.weights import official, sources
from grw_tf.weights.download import cached, fetch, fetch_grw


@dataclasses.dataclass(frozen=True)
class DownloadConfig:
    """What to download; each is a flag."""

    name: str = flags.option(
        "", "Name of the weights to download, or all, the official checkpoints."
    )
    list: bool = flags.option(False, "List the weights and exit.")


def define_flags() -> None:
    flags.define_flags(DownloadConfig)


def main(_: list[str]) -> None:
    config = flags.config_from_flags(DownloadConfig)
    if config.list:
        return print(_table())
    if config.name in official.GRW_MODELS:
        return _tell(config.name, fetch_grw(config.name))
    chosen = list(official.OFFICIAL.values())
    if config.name != "all":
        found = official.find(config.name)
        if found is None:
            raise ValueError(
                f"There are no published weights {config.name!r}: give --name=all or"
                f" one name. {official.hint(config.name)}"
            )
        chosen = [found]
    for checkpoint in chosen:
        _tell(checkpoint.name, fetch(checkpoint))


def _tell(name, path):
    print(f"{name} is in {path}. Use it with")
    print(f"    --init_checkpoint={name}", flush=True)


def _table():
    rows = [("name", "clip", "top-1 %", "MB", "in cache", "source")]
    for name, checkpoint in official.OFFICIAL.items():
        config = checkpoint.config
        clip = f"{config.frames} x {config.size} px"
        figures = f"{checkpoint.top1:.2f}", checkpoint.megabytes
        rows.append((name, clip, *figures, _state(name), checkpoint.kaggle))
    for name in official.GRW_MODELS:
        rows.append((name, "", "", "", _state(name), sources.HUGGING_FACE))
    return text_table(rows, "<<>><<")


def _state(name):
    path = cached(name)
    return path.name if path else "no"
