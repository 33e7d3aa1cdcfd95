"""Runs an experiment from its flags with the Model Garden's trainer."""

import contextlib
import functools
import logging
import math
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import task_factory, train_utils

from grw_tf.common.devices import tell_devices
from grw_tf.common.error_text import one_line
from grw_tf.common.labels_file import LABELS_FILE, read_labels
from grw_tf.training.best_checkpoint import EarlyStopping, best_checkpoint
from grw_tf.training.compatibility import restore_whole
from grw_tf.training.controller import Controller
from grw_tf.training.divergence import StopOnDivergence, step_error_text
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.model_dir import check_room, claimed
from grw_tf.training.precision import precision
from grw_tf.training.progress import Progress
from grw_tf.training.strategy import build_strategy
from grw_tf.training.tasks import video_classification  # noqa: F401 registers the task
from grw_tf.training.trainer import NOT_SCALAR, Trainer
from grw_tf.training.workers import Runner, lost_worker, own_folder


def run_experiment(
    options: Any,
    at_start: Callable[[Trainer], None] | None = None,
    stop_at: float = math.inf,
) -> tuple[tf_keras.Model, dict[str, Any]]:
    """Runs an experiment.

    Args:
        options: The Model Garden's flags experiment, mode, model_dir, config_file,
            params_override and tpu.
        at_start: Function that is called with the `Trainer` of a new training, once it
            has its initial weights. If it raises, the training ends.
        stop_at: For a training in one process, the Unix time in seconds from which on
            it stops, with a checkpoint, at the end of a loop of steps.

    Returns:
        The model, and the results of its last evaluation by name, {} without one.

    Raises:
        ValueError: If the config makes no sense, or the loss or a weight is not finite.
        OSError: If something cannot be read or written.
        OutOfTime: If `stop_at` has come before the last step.
    """
    params = parse_experiment(options)
    tf_keras.utils.set_random_seed(params.task.seed)
    strategy = build_strategy(params.runtime)
    _check_batches(params.task, strategy.num_replicas_in_sync)
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    cores = strategy.num_replicas_in_sync if on_tpu else 0
    tell_devices(params.runtime.mixed_precision_dtype, cores)
    with contextlib.ExitStack() as stack:
        stack.enter_context(precision(params.runtime.mixed_precision_dtype))
        # One of several workers writes.
        is_chief = strategy.extended.should_checkpoint
        if options.mode == "eval":
            _check_trained(options.model_dir)
        # Only a continuous evaluation may run beside a training.
        if options.mode != "continuous_eval" and is_chief:
            stack.enter_context(claimed(options.model_dir))
        best_subdir = params.trainer.best_checkpoint_export_subdir
        folder = stack.enter_context(
            own_folder(options.model_dir, best_subdir, is_chief)
        )
        try:
            return _run(params, options, strategy, folder, at_start, stop_at)
        except tf.errors.ResourceExhaustedError as error:
            batch = params.task.train_data.global_batch_size
            raise OSError(
                f"Memory ran out with task.train_data.global_batch_size {batch}"
                f" ({one_line(error)}). --print_memory estimates how many clips fit:"
                " take fewer, or set task.model.backbone.recompute to true or"
                " runtime.mixed_precision_dtype to bfloat16."
            ) from error
        except tf.errors.OpError as error:
            lost = lost_worker(error, options.model_dir)
            raise OSError(lost or one_line(error, limit=2000)) from error


def _run(params, options, strategy, folder, at_start, stop_at):
    trains, evaluates = "train" in options.mode, "eval" in options.mode
    with strategy.scope():
        task = task_factory.get_task(params.task, logging_dir=options.model_dir)
        # Before anything slow, and before gin, which adds lines to errors.
        recalibrates = evaluates and params.trainer.batch_norm_recalibration
        class_names = task.open_sources(trains or recalibrates, evaluates)
        _check_labels(class_names, options.model_dir)
        model = task.build_model()
        best = best_checkpoint(params.trainer, folder)
        trainer = Trainer(
            params,
            task,
            model,
            train_utils.create_optimizer(task, params),
            train=trains,
            evaluate=evaluates,
            checkpoint_exporter=best,
        )
    if evaluates:
        _check_best(params, trainer)
    with strategy.scope():
        restore_whole(trainer.checkpoint, options.model_dir)
    if trains and strategy.extended.should_checkpoint:
        averages = evaluates and params.trainer.optimizer_config.ema is not None
        checkpoints = params.trainer.max_to_keep * (2 if averages else 1) + 2
        check_room(options.model_dir, trainer.saved_variables(), checkpoints)
        train_utils.serialize_config(params, options.model_dir)
        _write_labels(class_names, options.model_dir)
    if params.trainer.batch_norm_recalibration and not evaluates:
        logging.warning(
            "--mode=%s does not evaluate, so trainer.batch_norm_recalibration does"
            " nothing: the checkpoints hold the moving statistics of training.",
            options.mode,
        )
    evaluations = [{}]
    runner = Runner(
        strategy,
        task,
        options.mode,
        params,
        folder,
        shared_dir=options.model_dir,
        at_start=at_start,
        trainer=trainer,
        controller_cls=functools.partial(
            Controller,
            thaw_step=params.task.unfreeze_step,
            should_stop=EarlyStopping(
                best,
                params.trainer.early_stopping_patience,
                params.trainer.validation_interval,
            ),
            stop_at=stop_at,
        ),
        train_actions=[
            StopOnDivergence(trainer),
            Progress(trainer, params.trainer.train_steps),
        ],
        eval_actions=[evaluations.append],
    )
    # After the Model Garden's action that saves what was evaluated.
    runner.controller.eval_actions += (lambda _: trainer.put_back_statistics(),)
    try:
        model, _ = runner.run()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(step_error_text(error, trainer)) from error
    return model, evaluations[-1]


def _check_batches(task, replicas):
    for name in ("train_data", "validation_data"):
        batch_size = getattr(task, name).global_batch_size
        if batch_size < 1 or batch_size % replicas:
            raise ValueError(
                f"task.{name}.global_batch_size must be a multiple of the {replicas}"
                f" replicas, got {batch_size}."
            )


def _check_best(params, trainer):
    wanted = params.trainer.best_checkpoint_eval_metric
    there = [metric.name for metric in trainer.validation_metrics]
    there = sorted({*there, "validation_loss"} - NOT_SCALAR)
    if wanted and wanted not in there:
        raise ValueError(
            f"trainer.best_checkpoint_eval_metric is {wanted!r}: it must be one of"
            f" {', '.join(there)}, or empty."
        )


def _check_trained(model_dir):
    if not tf.train.latest_checkpoint(model_dir):
        raise ValueError(
            f"--model_dir={model_dir} holds no checkpoint to evaluate: train first, or"
            " evaluate another checkpoint with grw-evaluate."
        )


def _check_labels(names, folder):
    path = os.path.join(folder, LABELS_FILE)
    if tf.train.latest_checkpoint(folder) and tf.io.gfile.exists(path):
        trained = read_labels(path)
        if trained != names:
            raise ValueError(
                f"{path} has the classes {list(trained)[:8]} of the training there, and"
                f" these clips {list(names)[:8]}: give the records of that training, or"
                " another --model_dir."
            )


def _write_labels(names, folder):
    with tf.io.gfile.GFile(os.path.join(folder, LABELS_FILE), "w") as file:
        file.write("".join(f"{name}\n" for name in names))
