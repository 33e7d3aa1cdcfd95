"""Refuses settings that make no sense or do nothing, before anything runs."""

import functools

from official.core import config_definitions as cfg
from official.modeling import hyperparams

from grw_tf.common.output_activation import SIGMOID
from grw_tf.models.presets import PRESETS
from grw_tf.models.registered_layer import is_registered
from grw_tf.models.regularization_config import REGULARIZERS
from grw_tf.training.experiments.video_classification import Model, experiment
from grw_tf.training.optimization.two_rates import OPTIMIZERS

_MAX_AREA = "aug_max_area_ratio"
_DATA = ("task.train_data", "task.validation_data")
_WITHOUT_EVALUATIONS = ("train", "train_and_post_eval")


def _from(lowest):
    return lambda value: lowest <= value, f"{lowest} or more"


def _one_of(*values):
    return lambda value: value in values, _listed(values)


def _listed(values):
    return ", ".join(map(str, values[:-1])) + f" or {values[-1]}"


_RANGES = {
    "trainer.train_steps": _from(1),
    "trainer.steps_per_loop": _from(1),
    "trainer.summary_interval": _from(1),
    "trainer.checkpoint_interval": _from(1),
    "trainer.validation_interval": _from(1),
    "trainer.max_to_keep": _from(1),
    "trainer.validation_steps": (lambda n: n == -1 or n >= 1, "1 or more, or -1"),
    "trainer.batch_norm_recalibration": _from(0),
    "trainer.early_stopping_patience": _from(0),
    "trainer.optimizer_config.accumulation_steps": _from(1),
    "task.seed": (lambda n: 0 <= n < 2**32, "from 0 to 4294967295"),
    "task.unfreeze_step": _from(0),
    "task.losses.label_smoothing": (lambda x: 0 <= x < 1, "from 0 to below 1"),
    "task.losses.l2_weight_decay": _from(0),
    "task.train_data.is_training": (lambda flag: flag, "true"),
    "task.validation_data.is_training": (lambda flag: not flag, "false"),
    # Otherwise fewer clips than a batch would measure nothing.
    "task.validation_data.drop_remainder": (lambda flag: not flag, "false"),
}
_DATA_RANGES = {
    "cycle_length": _from(1),
    "shuffle_buffer_size": _from(1),
    "num_test_clips": _from(1),
    "num_test_crops": _one_of(1, 3),
    "temporal_stride": _from(1),
    "random_stride_range": _from(0),
    "dtype": _one_of("float32", "bfloat16", "float16"),
    "label_dtype": _one_of("int32", "int64"),
}
"""What a value must satisfy by its key, as a function and in words."""
_RANGES |= {f"{d}.{key}": needs for d in _DATA for key, needs in _DATA_RANGES.items()}

UNUSED = {
    "runtime.worker_hosts": "name the hosts in the environment variable TF_CONFIG",
    "runtime.task_index": "number the hosts in the environment variable TF_CONFIG",
    "runtime.run_eagerly": "training always runs in graphs",
    "runtime.num_packs": "TensorFlow chooses it",
    "runtime.gpu_thread_mode": "set the environment variable TF_GPU_THREAD_MODE",
    "runtime.per_gpu_thread_count": (
        "set the environment variable TF_GPU_THREAD_COUNT"
    ),
    "runtime.dataset_num_private_threads": "tf.data chooses it",
    "runtime.batchnorm_spatial_persistent": "TensorFlow chooses it",
    "runtime.use_tpu_mp_strategy": "models are not split over devices",
    "runtime.num_cores_per_replica": "models are not split over devices",
    "runtime.default_shard_dim": "models are not split over devices",
    "task.init_checkpoint_modules": "everything in init_checkpoint is read",
    "task.allow_image_summary": "grw-show-batch draws the clips",
    # A rewind would not rewind the data.
    "trainer.recovery_max_trials": "a non-finite loss ends the training",
    "trainer.recovery_begin_steps": "a non-finite loss ends the training",
    "trainer.loss_upper_bound": "a non-finite loss ends the training",
    "trainer.train_tf_function": "training always runs in graphs",
}
_DATA_UNUSED = {
    "feature_shape": "set task.model.frames and task.model.size",
    "min_image_size": "set task.model.frame_fit and task.model.size",
    "one_hot": "set task.losses.one_hot",
    "is_multilabel": "set task.model.output_activation to sigmoid",
    "seed": "set task.seed",
    "deterministic": "task.seed determines the order of clips",
    "sharding": "each host always reads its share",
    "block_length": "clips come one by one from cycle_length files",
    "data_format": "models take channels last",
    "file_type": "records are TFRecord files",
    "split": "name files in input_path, or set tfds_split",
    "tfds_as_supervised": "the data set's features name clips and labels",
    "tfds_skip_decoding_feature": "only the frames of a clip are decoded anyway",
    "tf_data_service_address": "the tf.data service is not supported",
    "tf_data_service_job_name": "the tf.data service is not supported",
    "enable_shared_tf_data_service_between_parallel_trainers": (
        "the tf.data service is not supported"
    ),
    "apply_tf_data_service_before_batching": "the tf.data service is not supported",
    "audio_feature": "audio is not supported",
    "audio_feature_shape": "audio is not supported",
    "zero_centering_image": "models take pixels from 0 to 1",
}
"""Why a key does nothing here, or what to use instead, by the key."""
UNUSED |= {f"{d}.{key}": why for d in _DATA for key, why in _DATA_UNUSED.items()}


def check_experiment(params: cfg.ExperimentConfig, mode: str | None = None) -> None:
    """Refuses settings that make no sense, and those that are set but do nothing.

    Args:
        params: The config of an experiment, after `fill_in`.
        mode: The value of --mode, or None if unknown.

    Raises:
        ValueError: If there is such a setting; with its key, its value and what to do.
    """
    if mode in ("continuous_train_and_eval", "train_and_validate"):
        raise ValueError(f"--mode={mode} is not supported: choose train_and_eval.")
    rules = (_ranges, _unused, _runtime, _optimization, _data, _losses, _regularization)
    for rule in (*rules, functools.partial(_trainer, mode=mode)):
        for path, fits, needed in rule(params):
            if not fits:
                value = _text(_get(params, path))
                raise ValueError(f"{path} is {value}: it {needed}.")


# The rules yield keys, whether their values are fine, and what to do if not.


def _ranges(params):
    for path, (fits, needed) in _RANGES.items():
        yield path, fits(_get(params, path)), f"must be {needed}"


@functools.cache
def _unused_defaults():
    # These keys have the same default in all experiments.
    defaults = experiment(next(iter(PRESETS)))
    return {path: _get(defaults, path) for path in UNUSED}


def _unused(params):
    for path, default in _unused_defaults().items():
        reason = UNUSED[path]
        needed = f"does nothing here, so leave it {_text(default)}: {reason}"
        yield path, _get(params, path) == default, needed


def _runtime(params):
    runtime = params.runtime
    strategy, scale = runtime.distribution_strategy.lower(), runtime.loss_scale
    supported = strategy not in ("off", "parameter_server")
    needed = (
        "is not supported: choose one_device, mirrored, multi_worker_mirrored or tpu"
    )
    yield "runtime.distribution_strategy", supported, needed
    needed = "needs runtime.distribution_strategy tpu"
    yield "runtime.tpu", not runtime.tpu or strategy == "tpu", needed
    needed = "does nothing without GPUs: set runtime.num_gpus, or this to false"
    yield "runtime.enable_xla", not runtime.enable_xla or runtime.num_gpus > 0, needed
    scales = scale is None or runtime.mixed_precision_dtype == "float16"
    needed = "needs runtime.mixed_precision_dtype float16: set that, or this to null"
    yield "runtime.loss_scale", scales, needed
    is_number = isinstance(scale, float) and scale > 0
    needed = "must be a number above 0, dynamic or null"
    yield "runtime.loss_scale", is_number or scale in (None, "dynamic"), needed


def _optimization(params):
    where, config = "trainer.optimizer_config", params.trainer.optimizer_config
    needed = f"must be {_listed(OPTIMIZERS)}"
    yield f"{where}.optimizer.type", config.optimizer.type in OPTIMIZERS, needed
    needed = "must be the name of a schedule, such as cosine"
    yield f"{where}.learning_rate.type", config.learning_rate.type, needed
    for name in ("learning_rate", "head_learning_rate", "warmup", "head_warmup"):
        chosen = getattr(config, name)
        schedule = chosen.get().as_dict() if chosen.type else {}
        for key, value in schedule.items():
            path = f"{where}.{name}.{chosen.type}.{key}"
            needed = f"must be set, as {name}.type is {chosen.type}"
            yield path, value is not None or key == "staircase", needed
            if key in ("decay_steps", "total_decay_steps"):
                yield path, value >= 1, "must be 1 or more"


def _data(params):
    for path in _DATA:
        data = _get(params, path)
        for kind in ("area", "aspect"):
            low, high = (f"aug_{end}_{kind}_ratio" for end in ("min", "max"))
            lowest, highest = getattr(data, low), getattr(data, high)
            yield f"{path}.{low}", lowest > 0, "must be above 0"
            yield f"{path}.{high}", lowest <= highest, f"must be {low} or more"
        yield f"{path}.{_MAX_AREA}", getattr(data, _MAX_AREA) <= 1, "must be at most 1"
        known = not data.aug_type or data.aug_type.type in ("autoaug", "randaug")
        needed = "must have a type, autoaug or randaug, or be null"
        yield f"{path}.aug_type", known, needed
        acts = not data.input_path or data.temporal_stride == 1
        needed = "does nothing with input_path, so leave it 1: set task.model.fps"
        yield f"{path}.temporal_stride", acts, needed


def _losses(params):
    losses, methods = params.task.losses, params.task.model.regularization.methods
    mixing = "task.train_data.mixup_and_cutmix"
    given = params.task.train_data.mixup_and_cutmix is not None
    chosen = " and ".join(name for name in ("cutmix", "mixup") if name in methods)
    where = f"{chosen} in task.model.regularization.methods" if chosen else mixing
    yield mixing, not (given and chosen), f"does what {where} does: choose one"
    needed = f"must be true with {where}, which mixes labels"
    yield "task.losses.one_hot", losses.one_hot or not (given or chosen), needed
    several = params.task.model.output_activation == SIGMOID
    needed = "does nothing with task.model.output_activation sigmoid: leave it true"
    yield "task.losses.one_hot", losses.one_hot or not several, needed
    smooths = losses.one_hot or not losses.label_smoothing
    needed = "does nothing with task.losses.one_hot false: set label_smoothing to 0"
    yield "task.losses.label_smoothing", smooths, needed


def _regularization(params):
    where, chosen = "task.model.regularization", params.task.model.regularization
    defaults = Model().regularization.as_dict()
    for method in REGULARIZERS:
        default = getattr(chosen, method).as_dict() == defaults[method]
        needed = (
            f"does nothing without {method} in {where}.methods: add it there, or leave"
            " this out"
        )
        yield f"{where}.{method}", method in chosen.methods or default, needed
    known = "own_layer" not in chosen.methods or is_registered(chosen.own_layer.layer)
    needed = (
        "must be the name of a Keras layer, or of a registered one whose module was"
        " imported, see docs/extending.md"
    )
    yield f"{where}.own_layer.layer", known, needed


def _trainer(params, mode):
    trainer = params.trainer
    metric = trainer.best_checkpoint_eval_metric
    better = "lower" if metric.endswith("loss") else "higher"
    fits = not metric or trainer.best_checkpoint_metric_comp == better
    several = params.task.model.output_activation == SIGMOID
    needed = (
        "means nothing with several labels a clip: choose mean_average_precision,"
        " macro_f1 or micro_f1"
    )
    fits_labels = not (several and metric == "top_5_accuracy")
    yield "trainer.best_checkpoint_eval_metric", fits_labels, needed
    needed = f"must be {better} for best_checkpoint_eval_metric {metric}"
    yield "trainer.best_checkpoint_metric_comp", fits, needed
    kept = trainer.best_checkpoint_export_subdir or trainer.optimizer_config.ema
    needed = (
        "would affect evaluations but no checkpoint: set"
        " trainer.best_checkpoint_export_subdir, or this to 0"
    )
    fits = not trainer.batch_norm_recalibration or bool(kept)
    yield "trainer.batch_norm_recalibration", fits, needed
    fits = not trainer.early_stopping_patience or mode not in _WITHOUT_EVALUATIONS
    needed = f"does nothing with --mode={mode}: choose train_and_eval, or set it to 0"
    yield "trainer.early_stopping_patience", fits, needed


def _get(params, path):
    return functools.reduce(getattr, path.split("."), params)


def _text(value):
    """Returns a value as YAML spells it."""
    if isinstance(value, hyperparams.Config):
        value = value.as_dict()
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return f"{value!r:.80}"
