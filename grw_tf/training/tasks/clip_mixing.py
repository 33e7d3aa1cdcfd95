"""CutMix and Mixup of clips, the Model Garden's own, from the configs."""

from official.vision.ops import augment

from grw_tf.models import ModelConfig


def mixes(params, config: ModelConfig) -> bool:
    """Says whether training clips and their labels are mixed.

    Args:
        params: The `DataConfig` of the training data.
        config: The model's config.
    """
    return _settings(params, config) is not None


def clip_mixing(params, config: ModelConfig):
    """Returns what mixes batches, or None.

    Args:
        params: The `DataConfig`, whose `mixup_and_cutmix` may say how.
        config: The model's config, whose `regularization.methods` may.

    Returns:
        A function from features and labels [batch] to features and one-hot labels
        [batch, num_classes].
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
        # The loss smooths labels.
        "label_smoothing": 0.0,
    }
