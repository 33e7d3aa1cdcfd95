"""Downloads official MoViNet checkpoints into the cache, once.

    python -m scripts.download_checkpoint --list
    python -m scripts.download_checkpoint --name=movinet_a0_stream

An interrupted download resumes. The cache is $GRW_TF_CACHE, or ~/.cache/grw_tf.
"""

import dataclasses

from grw_tf.common import flags, programs
from grw_tf.common.text_table import text_table
from grw_tf.weights import official
from grw_tf.weights.download import cache_folder, fetch


@dataclasses.dataclass(frozen=True)
class DownloadConfig:
    """What to download; each is a flag."""

    name: str = flags.option("", "Name of the checkpoint to download, or all.")
    list: bool = flags.option(False, "List the checkpoints and exit.")


flags.define_flags(DownloadConfig)


def main(_: list[str]) -> None:
    config = flags.config_from_flags(DownloadConfig)
    if config.list:
        return _print_table()
    chosen = list(official.OFFICIAL.values())
    if config.name != "all":
        found = official.find(config.name)
        if found is None:
            raise ValueError(
                f"There is no official checkpoint {config.name!r}: give --name=all or"
                f" one name. {official.hint(config.name)}"
            )
        chosen = [found]
    for checkpoint in chosen:
        print(f"{checkpoint.name} is in {fetch(checkpoint)}. Use it with")
        print(f"    --init_checkpoint={checkpoint.name}", flush=True)


def _print_table():
    rows = [("name", "clip", "top-1 %", "MB", "in cache")]
    for name, checkpoint in official.OFFICIAL.items():
        config = checkpoint.config
        clip = f"{config.frames} x {config.size} px"
        cached = "yes" if (cache_folder() / name).is_dir() else "no"
        top1 = f"{checkpoint.top1:.2f}"
        rows.append((name, clip, top1, checkpoint.megabytes, cached))
    print(text_table(rows, "<<>><"))


if __name__ == "__main__":
    programs.run(main)
