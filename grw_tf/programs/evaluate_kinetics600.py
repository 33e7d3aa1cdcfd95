r"""Evaluates a published model by the published protocol, from test clips to top-1.

    grw-evaluate-kinetics600 --checkpoint=a0s_grw.pt \
        --clips=k600_test_ds.tar.gz --output_dir=runs/kinetics600/a0s_grw

The clips are class folders of videos or an archive of them. All GPUs and cores are
used. If the program is killed, rerun the same command to resume. Several machines share
the work by --shard=1/4 to --shard=4/4 with one --output_dir.
docs/reproduce_kinetics600.md describes the published numbers, the cost and the protocol
in detail.
"""

import sys
from collections.abc import Sequence

from grw_tf.common import flags, programs
from grw_tf.common.devices import tell_devices
from grw_tf.kinetics600.protocol import ProtocolConfig, evaluate_published


def define_flags() -> None:
    flags.define_flags(ProtocolConfig, required=["checkpoint", "clips", "output_dir"])


def main(_: Sequence[str]) -> int:
    """Evaluates, and returns 1 if a video was left out."""
    tell_devices()
    programs.print_any_name()
    config = flags.config_from_flags(ProtocolConfig)
    try:
        outcome = evaluate_published(config)
    except KeyboardInterrupt:
        sys.exit("Stopped: rerun the same command to resume.")
    if outcome is None:
        print(f"Shard {config.shard} has ended; other shards have not.")
        return 0
    print(outcome.text)
    print(f"\nWritten to {config.output_dir}.")
    if outcome.unreadable:
        print(f"{outcome.unreadable} videos cannot be read: see unreadable.csv there.")
    if outcome.left_out:
        print(f"{outcome.left_out} videos are in no class folder and not evaluated.")
    return 1 if outcome.unreadable or outcome.left_out else 0
