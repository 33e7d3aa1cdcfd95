"""Training one model without and with smoothing, all else equal."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import tf_keras

from grw_tf.common.fingerprint import weights_fingerprint
from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.demo.config import DemoConfig
from grw_tf.evaluation.smoothness import Smoothness, smoothness
from grw_tf.models import ModelConfig, build_model
from grw_tf.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Result:
    """A trained model and its measures on the test videos.

    Attributes:
      name: of the variant.
      model: the trained model.
      history: metrics of each epoch.
      accuracy: on the test videos.
      smoothness: of the test videos' embeddings.
      z: embeddings [videos, N, K] of the test videos.
    """

    name: str
    model: tf_keras.Model
    history: list[dict]
    accuracy: float
    smoothness: Smoothness
    z: np.ndarray


def compare(
    model_config: ModelConfig,
    train: LabelledVideos,
    test: LabelledVideos,
    config: DemoConfig,
    initialise: Callable = lambda model: None,
):
    """Trains and measures the model without and with its smoothing.

    Both start from the same weights and see the same videos in the same order. Runs
    found in the output folder go on, or are taken as they are if they have ended.

    Args:
      model_config: the model with smoothing.
      train, test: the videos.
      config: how to train, from which seed, and where to.
      initialise: called on each new model, to restore weights.

    Returns:
      The two `Result`s, "baseline" first.
    """
    without = dataclasses.replace(model_config.smoothing, layers=())
    variants = {
        "baseline": dataclasses.replace(model_config, smoothing=without),
        "grw": model_config,
    }
    results, starts = [], set()
    for name, variant in variants.items():
        model = new_model(variant, config.seed, initialise)
        starts.add(weights_fingerprint(model))
        if len(starts) > 1:
            raise RuntimeError("The two models do not start from the same weights.")
        history = fit(
            model,
            train,
            test,
            config.training(),
            pathlib.Path(config.output_dir) / name,
            title=f"training {name}",
        )
        results.append(measure(name, model, history, test, config.window))
    return results


def new_model(config, seed, initialise=lambda model: None):
    """Builds a model whose initial weights depend on the seed alone."""
    tf_keras.utils.set_random_seed(seed)
    model = build_model(config)
    initialise(model)
    return model


def measure(name, model, history, test, window) -> Result:
    """Measures a trained model on test videos."""
    z = np.concatenate([model.embed(clips) for clips, _ in test.batches(16)])
    return Result(
        name=name,
        model=model,
        history=history,
        accuracy=accuracy(model, test),
        smoothness=smoothness(z, window),
        z=z,
    )


def accuracy(model, videos):
    """Returns a trained model's top-1 accuracy on videos, at inference."""
    logits = model.predict(videos.batches(16), verbose=0)
    return float(np.mean(logits.argmax(axis=1) == videos.labels))
