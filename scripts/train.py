"""Trains and evaluates by an experiment of the Model Garden's factory.

    python -m scripts.train --experiment=movinet_a0_stream_grw --mode=train_and_eval \\
        --config_file=configs/own_clips_a0_stream_grw.yaml --model_dir=runs/own

Flags are those of the Model Garden's training drivers. Killed, it goes on from the last
checkpoint of --model_dir by the same command, to the same weights in the end.
"""

from absl import flags
from official.common import flags as tfm_flags

from grw_tf.common import programs
from grw_tf.training.driver import run_experiment
from grw_tf.training.progress import results_table

tfm_flags.define_flags()
flags.mark_flags_as_required(["experiment", "mode", "model_dir"])


def main(_):
    _, results = run_experiment(flags.FLAGS)
    if results:
        print(results_table(results))
    print(f"Written to {flags.FLAGS.model_dir}.")


if __name__ == "__main__":
    programs.run(main)
