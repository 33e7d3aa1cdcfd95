"""Evaluates a published model by the published protocol: from test clips to top-1.

    python -m scripts.evaluate_kinetics600 --checkpoint=a0s_grw.pt \\
        --clips=kinetics600_test.tar.gz --output_dir=runs/kinetics600/a0s_grw

The clips are class folders of videos, or an archive of them. It uses all GPUs and
cores, can be killed, and goes on by the same command. Several machines share the work
by --shard=1/4 to --shard=4/4 in one --output_dir. docs/reproduce_kinetics600.md tells
what is published, what it costs, and what the protocol is in detail.
"""

import sys

from grw_tf.common import flags, programs
from grw_tf.kinetics600.protocol import ProtocolConfig, evaluate_published

flags.define_flags(ProtocolConfig, required=["checkpoint", "clips", "output_dir"])


def main(_):
    # Names of files need not be text that the terminal can show.
    sys.stdout.reconfigure(errors="backslashreplace")
    config = flags.config_from_flags(ProtocolConfig)
    try:
        outcome = evaluate_published(config)
    except KeyboardInterrupt:
        sys.exit("Stopped: the same command goes on from here.")
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


if __name__ == "__main__":
    programs.run(main)
