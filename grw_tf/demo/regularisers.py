"""The study of regularisers on generated aeroplanes: variants, training, table."""

import dataclasses
import pathlib

import numpy as np
import tf_keras

from grw_tf.common.flags import option
from grw_tf.data.airplanes import AirplanesConfig
from grw_tf.data.airplanes.videos import CLASS_NAMES
from grw_tf.demo.comparison import accuracy, new_model
from grw_tf.demo.config import DemoConfig
from grw_tf.demo.study import markdown_table, mean_and_spread
from grw_tf.evaluation.paired_statistics import compare_seeds
from grw_tf.models import BackboneConfig, ModelConfig
from grw_tf.models.regularization_config import RegularizationConfig, RMSConfig
from grw_tf.training.fit import fit

BASELINE = "none"
TEST, TRAINING, GAP = "test accuracy", "training accuracy", "gap"


@dataclasses.dataclass(frozen=True)
class RegulariserStudyConfig(DemoConfig):
    """Settings of the study; each is a flag of its program."""

    data_dir: str = option("data", "Where the data set is built and kept.")
    output_dir: str = option("runs/regularisers", "Where runs, table and figure go.")
    train_videos: int = option(1000, "Videos to train on: fewer overfit more.")
    test_videos: int = option(600, "Videos to test on.")
    frames: int = option(8, "Frames of a video.")
    size: int = option(32, "Height and width of a frame, in pixels.")
    epochs: int = option(20, "Passes over the training videos.")
    batch_norm_recalibration: int = option(
        1000, "Training videos to estimate batch statistics on in the end; 0: none."
    )
    learning_rate: float = option(1e-2, "Highest learning rate.")
    window: int = option(4, "T, frames in a GRW window.")

    @property
    def data_config(self) -> AirplanesConfig:
        """The data set's config, named after what it holds."""
        return AirplanesConfig(
            name=f"fast_{self.size}px_{self.frames}_frames_{self.train_videos}_and_"
            f"{self.test_videos}",
            size=self.size,
            frames=self.frames,
            # Fast turns are learnt from few videos, in minutes.
            min_speed=14.0,
            max_speed=22.0,
            train_videos=self.train_videos,
            test_videos=self.test_videos,
        )


def variants(config: RegulariserStudyConfig) -> dict[str, dict]:
    """Returns what each variant changes of `ModelConfig`, by its name.

    Values are those of the RMS paper's Table 2. GRW smoothing is of the backbone's last
    features, each frame's mean over space: this adds no trained weights, and the head
    that averages these features over time is the same for all.
    """
    grw = dataclasses.replace(config.smoothing(), layers=("head",))
    rms = RegularizationConfig(methods=("rms",))

    def rms_with(**changes):
        return {"regularization": dataclasses.replace(rms, rms=RMSConfig(**changes))}

    def method(name):
        return {"regularization": RegularizationConfig(methods=(name,))}

    return {
        BASELINE: {},
        "rms": rms_with(),
        "rms_gaussian": rms_with(filter="gaussian", std=0.4),
        "rs_feature": rms_with(component="feature"),
        "rs_residual": rms_with(component="residual"),
        "random_drop": method("random_drop"),
        "shake_drop": method("shake_drop"),
        "cutmix": method("cutmix"),
        "grw": {"smoothing": grw},
        "grw_rms": {"smoothing": grw, "regularization": rms},
    }


def choose_variants(config: RegulariserStudyConfig, names) -> list[str]:
    """Returns the names of the variants to run, the baseline first.

    Args:
      config: the study's.
      names: of variants; empty for all.

    Raises:
      ValueError: for an unknown one.
    """
    known = list(variants(config))
    for name in names:
        if name not in known:
            raise ValueError(f"Unknown variant {name!r}; known: {', '.join(known)}.")
    chosen = {BASELINE, *(names or known)}
    return [name for name in known if name in chosen]


def model_config(config: RegulariserStudyConfig, variant: str) -> ModelConfig:
    """Returns the config of a small SlowOnly with a variant's regularisers."""
    return ModelConfig(
        backbone=BackboneConfig.of_family("slowonly_nano"),
        num_classes=len(CLASS_NAMES),
        frames=config.frames,
        size=config.size,
        **variants(config)[variant],
    )


def run(config: RegulariserStudyConfig, variant: str, train, test, title):
    """Trains a variant from the config's seed and returns its numbers."""
    model = new_model(model_config(config, variant), config.seed)
    run_dir = pathlib.Path(config.output_dir) / f"{variant}_seed_{config.seed}"
    # Training clips are evaluated at inference too: the loop's own accuracy is of
    # disturbed features and mixed clips.
    fit(model, train, None, config.training(), run_dir, title)
    numbers = {TEST: accuracy(model, test), TRAINING: accuracy(model, train)}
    tf_keras.backend.clear_session()
    return numbers | {GAP: numbers[TRAINING] - numbers[TEST]}


def table(results):
    """Returns a row for each variant: mean ± standard deviation over seeds.

    The last two columns are means of each seed's difference to the baseline.
    """
    baseline = results[BASELINE]
    rows = [
        [
            name,
            *(mean_and_spread(_column(runs, key)) for key in (TEST, TRAINING, GAP)),
            *(_difference(name, runs, baseline, key) for key in (TEST, GAP)),
        ]
        for name, runs in results.items()
    ]
    header = ["", TEST, TRAINING, GAP, f"change of {TEST}", f"change of {GAP}"]
    return markdown_table(header, rows)


def _difference(name, runs, baseline, key):
    if name == BASELINE:
        return ""
    mean, _, high = dataclasses.astuple(
        compare_seeds(_column(runs, key), _column(baseline, key)).interval
    )
    return f"{mean:+.3f}" if high is None else f"{mean:+.3f} ± {high - mean:.3f}"


def _column(runs, key):
    return np.array([numbers[key] for numbers in runs])
