"""Mixes training clips with the Model Garden's CutMix and Mixup."""

from collections.abc import Callable

from official.vision.ops import augment

from grw_tf.models import ModelConfig
from grw_tf.training.experiments.video_classification import DataConfig


def clip_mixing(params: DataConfig, config: ModelConfig) -> Callable | None:
    """Returns the function that mixes batches of training clips, or None.

    It maps features and labels `[batch]` to features and one-hot labels
    `[batch, num_classes]`. Either `mixup_and_cutmix` of the data's config or
    `regularization.methods` of the model's config asks for it.
    """
    chosen = config.regularization
    if params.mixup_and_cutmix is not None:
        settings = params.mixup_and_cutmix.as_dict()
    elif {"cutmix", "mixup"} & set(chosen.methods):
        settings = {
            "cutmix_alpha": chosen.cutmix.alpha if "cutmix" in chosen.methods else 0.0,
            "mixup_alpha": chosen.mixup.alpha if "mixup" in chosen.methods else 0.0,
            # The loss smooths the labels.
            "label_smoothing": 0.0,
        }
    else:
        return None
    mix = augment.MixupAndCutmix(**settings, num_classes=config.num_classes)

    def mix_batch(features, labels):
        image, labels = mix(features["image"], labels)
        return features | {"image": image}, labels

    return mix_batch
