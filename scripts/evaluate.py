"""Evaluates a checkpoint on records, clip by clip or frame by frame.

    python -m scripts.evaluate --checkpoint=runs/own/best_ckpt \\
        --records='records/test-*.tfrecord' --output_dir=runs/own/test [--streaming]
"""

from grw_tf import flags, programs
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate

flags.define_flags(EvaluationConfig, required=["checkpoint", "records", "output_dir"])


def main(_):
    config = flags.config_from_flags(EvaluationConfig)
    results = evaluate(config)
    print(results["table"])
    if config.streaming:
        curve = " ".join(
            f"{a:.3f}" for a in results["streaming"]["accuracy_after_each_frame"]
        )
        print(f"accuracy after each frame: {curve}")
        for name in ("label_changes_per_second", "probability_change"):
            print(f"{name}: {results['streaming'][name]:.4g}")
    print(f"Written to {config.output_dir}.")


if __name__ == "__main__":
    programs.run(main)
