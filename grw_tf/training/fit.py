"""Keras `fit` on videos in memory, that can be killed and run again."""

import dataclasses
import json
import pathlib
import re
import time

import numpy as np
import tensorflow as tf
import tf_keras
import tqdm
from official.vision.configs.video_classification import DataConfig

from grw_tf.common.fingerprint import fingerprint, weights_fingerprint
from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.training.recalibration import Recalibration
from grw_tf.training.step_random import draw_by_step
from grw_tf.training.tasks.clip_mixing import clip_mixing


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How to train.

    Attributes:
      epochs: passes over the training videos.
      batch_size: clips in a batch.
      learning_rate: highest, after a linear warm-up over the first tenth of the steps;
        then a cosine takes it to zero.
      weight_decay: of AdamW.
      batch_norm_recalibration: before each evaluation and at the end, the number of
        training videos on which the statistics of batch normalisations are estimated
        anew; 0 for none.
      seed: of the order of the videos, and of what layers and mixing draw.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.01
    batch_norm_recalibration: int = 0
    seed: int = 0


def fit(
    model,
    train: LabelledVideos,
    test: LabelledVideos | None,
    config: FitConfig,
    run_dir,
    title,
):
    """Trains a classifier, keeping all it needs to go on in `run_dir`.

    CutMix and Mixup of the model's config mix the training clips.

    Args:
      model: a model of `build_model`; afterwards compiled, with the last weights, and
        estimated batch statistics if the config wants them.
      train: training videos, at least a batch.
      test: test videos, evaluated after each epoch; None for no evaluation.
      config: how to train.
      run_dir: folder for checkpoints and `history.json`; a run found there goes on
        after its last whole epoch, with the same order of videos.
      title: words before the progress bar.

    Returns:
      The history, a dict of metrics for each epoch; `seconds` is the epoch's training
      time.

    Raises:
      ValueError: if `run_dir` holds a run with other settings, data or initial
        weights, there are fewer training videos than a batch, or embeddings are no
        longer finite.
    """
    steps = len(train) // config.batch_size
    if not steps:
        raise ValueError(
            f"{len(train)} training videos do not fill a batch of {config.batch_size}:"
            " lower batch_size."
        )
    run_dir = pathlib.Path(run_dir)
    _claim(
        run_dir,
        {
            "model": json.loads(model.config.to_json()),
            "training": dataclasses.asdict(config),
            "initial_weights": weights_fingerprint(model),
            "class_names": list(train.class_names),
            "train": fingerprint([train.videos, train.labels]),
            "test": test and fingerprint([test.videos, test.labels]),
        },
    )
    mix = clip_mixing(DataConfig(), model.config)
    _compile(model, config, steps, one_hot=mix is not None)
    draw_by_step(model, config.seed, model.optimizer.iterations)
    recalibration = Recalibration(
        model,
        lambda: train.chosen_evenly(config.batch_norm_recalibration).batches(
            config.batch_size
        ),
    )
    epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=model.optimizer, epoch=epoch),
        run_dir / "checkpoints",
        max_to_keep=1,
    )
    manager.restore_or_initialize()
    history_file = run_dir / "history.json"
    history = json.loads(history_file.read_text()) if history_file.exists() else []
    history = history[: epoch.numpy()]

    with tqdm.tqdm(
        desc=title,
        total=config.epochs * steps,
        initial=len(history) * steps,
        unit="step",
        disable=len(history) == config.epochs,
    ) as bar:
        while len(history) < config.epochs:
            logs = _epoch(model, train, config, mix, len(history), bar)
            if test is not None:
                trained = sum(epoch["seconds"] for epoch in [*history, logs])
                _estimate(recalibration, config, trained)
                logs |= _evaluate(model, test, config, mix)
                recalibration.put_back()
            history.append(logs)
            epoch.assign_add(1)
            # The history first: a kill in between is mended by the slice above.
            _write(history_file, history)
            manager.save()
    _estimate(recalibration, config, sum(epoch["seconds"] for epoch in history))
    return history


def _estimate(recalibration, config, training_seconds):
    if config.batch_norm_recalibration:
        recalibration.estimate(training_seconds)


def _compile(model, config, steps, one_hot):
    if one_hot:
        loss = tf_keras.losses.CategoricalCrossentropy(from_logits=True)
    else:
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    total = config.epochs * steps
    warmup = total // 10
    model.compile(
        optimizer=tf_keras.optimizers.AdamW(
            tf_keras.optimizers.schedules.CosineDecay(
                0.0,
                decay_steps=total - warmup,
                warmup_target=config.learning_rate,
                warmup_steps=warmup,
            ),
            weight_decay=config.weight_decay,
        ),
        loss=loss,
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)


def _epoch(model, train, config, mix, epoch, bar):
    batches = train.shuffled_batches(config.batch_size, config.seed, epoch)
    if mix is not None:
        batches = _mixed(batches, mix, config.seed, epoch)
    start = time.perf_counter()
    try:
        logs = model.fit(batches, verbose=0, callbacks=[_Progress(bar)]).history
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r"Embeddings of layer .* are not finite", error.message)
        if not found:
            raise
        raise ValueError(
            f"{found[0]} in epoch {epoch + 1}: lower the learning rate"
            f" ({config.learning_rate}) or the weight of the GRW loss."
        ) from None
    seconds = time.perf_counter() - start
    return {
        **{name: values[0] for name, values in logs.items()},
        "seconds": seconds,
    }


def _mixed(batches, mix, seed, epoch):
    """Mixes batches, and gives them one-hot labels, by seed and epoch alone."""
    # The Model Garden's mixing draws from TensorFlow's global stream, whose seed is
    # taken up where the function is traced: without a new one all epochs mix alike.
    (global_seed,) = np.random.SeedSequence([seed, epoch]).generate_state(1)
    tf.random.set_seed(int(global_seed))

    def mix_batch(clips, labels):
        features, labels = mix({"image": clips}, labels)
        return features["image"], labels

    return batches.map(mix_batch)


def _evaluate(model, test, config, mix):
    batches = test.batches(config.batch_size)
    if mix is not None:
        classes = len(test.class_names)
        batches = batches.map(lambda clips, y: (clips, tf.one_hot(y, classes)))
    results = model.evaluate(batches, verbose=0, return_dict=True)
    return {f"test_{name}": results[name] for name in ("loss", "accuracy")}


class _Progress(tf_keras.callbacks.Callback):
    def __init__(self, bar):
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch, logs=None):
        self._bar.update(1)
        self._bar.set_postfix({k: f"{v:.3f}" for k, v in logs.items()}, refresh=False)


def _claim(run_dir, settings):
    file = run_dir / "config.json"
    if not file.exists():
        run_dir.mkdir(parents=True, exist_ok=True)
        _write(file, settings)
        return
    found = json.loads(file.read_text())
    if found != settings:
        differing = _differing(found, settings)
        raise ValueError(
            f"{run_dir} holds a run with other settings ({differing}): choose another"
            " folder, or remove that one."
        )


def _write(file, content):
    """Writes JSON whole or not at all."""
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=1))
    draft.replace(file)


def _differing(found, wanted, path=""):
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return f"{path} {found} there, {wanted} now"
    return ", ".join(
        _differing(found.get(key), wanted.get(key), f"{path}.{key}".lstrip("."))
        for key in {**found, **wanted}
        if found.get(key) != wanted.get(key)
    )
