"""From flags to a finished experiment, by the Model Garden's trainer."""

import tensorflow as tf
from official.common import distribute_utils
from official.core import task_factory, train_lib, train_utils
from official.modeling import performance

from grw_tf.experiments.parsing import parse_experiment
from grw_tf.tasks import video_classification  # noqa: F401 registers the task
from grw_tf.training.model_dir import claimed
from grw_tf.training.progress import Progress, StopAtNonsense
from grw_tf.training.trainer import Trainer


def run_experiment(options):
    """Runs an experiment.

    Args:
      options: the Model Garden's flags: experiment, mode, model_dir, config_file,
        params_override, tpu, tf_data_service.

    Returns:
      The model and its last evaluation, as `official.core.train_lib.run_experiment`.

    Raises:
      ValueError: for a config that makes no sense.
      OSError: if something cannot be read or written.
    """
    params = parse_experiment(options)
    if "train" not in options.mode:
        return _run(params, options)
    with claimed(options.model_dir):
        train_utils.serialize_config(params, options.model_dir)
        return _run(params, options)


def _run(params, options):
    if params.runtime.mixed_precision_dtype:
        performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
    strategy = distribute_utils.get_distribution_strategy(
        distribution_strategy=params.runtime.distribution_strategy,
        all_reduce_alg=params.runtime.all_reduce_alg,
        num_gpus=params.runtime.num_gpus,
        tpu_address=params.runtime.tpu,
    )
    _check_batches(params.task, strategy.num_replicas_in_sync)
    with strategy.scope():
        task = task_factory.get_task(params.task, logging_dir=options.model_dir)
        trainer = train_utils.create_trainer(
            params,
            task,
            train="train" in options.mode,
            evaluate="eval" in options.mode,
            checkpoint_exporter=train_lib.maybe_create_best_ckpt_exporter(
                params, options.model_dir
            ),
            trainer_cls=Trainer,
        )
    batch_size = params.task.train_data.global_batch_size
    try:
        return train_lib.run_experiment(
            distribution_strategy=strategy,
            task=task,
            mode=options.mode,
            params=params,
            model_dir=options.model_dir,
            trainer=trainer,
            train_actions=[
                StopAtNonsense(trainer),
                Progress(trainer, params.trainer.train_steps, batch_size),
            ],
        )
    except tf.errors.InvalidArgumentError as error:
        raise _in_words(error, trainer) from None


def _in_words(error, trainer):
    """Returns an error in one line, if it is of smoothing's check of embeddings."""
    reasons = [line for line in error.message.splitlines() if "not finite" in line]
    if not reasons:
        return error
    return ValueError(
        f"Training stopped after step {int(trainer.global_step)}: {reasons[0].strip()}."
        " The last checkpoint is kept: lower the learning rates, or set"
        " trainer.optimizer_config.clip_norm, and run again."
    )


def _check_batches(task, replicas):
    for name in ("train_data", "validation_data"):
        batch_size = getattr(task, name).global_batch_size
        if batch_size < 1 or batch_size % replicas:
            raise ValueError(
                f"task.{name}.global_batch_size must be a multiple of the {replicas}"
                f" replicas, got {batch_size}."
            )
