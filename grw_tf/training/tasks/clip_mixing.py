"""Mixes training clips with the Model Garden's CutMix and Mixup."""

from collections.abc import Callable

from official.vision.ops import augment

from grw_tf.models import ModelConfig
from grw_tf.training.experiments.video_classification import DataConfig


def mixes(params: DataConfig, config: ModelConfig) -> bool:
    """Returns whether training clips and their labels are mixed.

    Args:
        params: The config of the training data.
        config: The model's config.
    """
    return _settings(params, config) is not None


def clip_mixing(params: DataConfig, config: ModelConfig) -> Callable | None:
    """Returns the function that mixes batches, or None without mixing.

    Args:
        params: The config of the training data; `mixup_and_cutmix` may ask for it.
        config: The model's config; `regularization.methods` may ask for it.

    Returns:
        A function from features and labels `[batch]` to features and one-hot labels
        `[batch, num_classes]`.
    """
    settings = _settings(params, config)
    if settings is None:
        return None
    mix = augment.MixupAndCutmix(**settings, num_classes=config.num_classes)

    def mix_batch(features, labels):
        image, labels = mix(features["image"], labels)
        return features | {"image": image}, labels

    return mix_batch


def _settings(params, config):
    if params.mixup_and_cutmix is not None:
        return params.mixup_and_cutmix.as_dict()
    chosen = config.regularization
    if not {"cutmix", "mixup"} & set(chosen.methods):
        return None
    return {
        "cutmix_alpha": chosen.cutmix.alpha if "cutmix" in chosen.methods else 0.0,
        "mixup_alpha": chosen.mixup.alpha if "mixup" in chosen.methods else 0.0,
        # The loss smooths the labels.
        "label_smoothing": 0.0,
    }
