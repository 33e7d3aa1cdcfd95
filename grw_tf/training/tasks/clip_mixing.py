"""Mixes training clips with the Model Garden's CutMix and Mixup."""

from collections.abc import Callable

import tensorflow as tf
from official.vision.ops import augment

from grw_tf.models import ModelConfig
from grw_tf.training.experiments.video_classification import DataConfig


def clip_mixing(params: DataConfig, config: ModelConfig) -> Callable | None:
    """Returns the function that mixes batches of training clips, or None.

    It maps features and labels `[batch]` to features and one-hot labels
    `[batch, num_classes]`. For a model with several labels a clip, labels are
    `[batch, num_classes]` already, and mixed alike. Either `mixup_and_cutmix` of the
    data's config or `regularization.methods` of the model's config asks for it.
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
    kind = _ListMixing if config.has_several_labels else augment.MixupAndCutmix

    def mix_batch(features, labels):
        mix = kind(**settings, num_classes=config.num_classes)
        image, labels = mix(features["image"], labels)
        return features | {"image": image}, labels

    return mix_batch


class _ListMixing(augment.MixupAndCutmix):
    """The Model Garden's mixing, for labels `[batch, num_classes]` in 0 or 1.

    The Model Garden's own takes the index of one class a clip; here it gets the place
    of each clip in the batch instead.
    """

    def distort(self, images, labels):
        self._labels = tf.cast(labels, tf.float32)
        return super().distort(images, tf.range(tf.shape(labels)[0]))

    def _smooth_labels(self, labels):
        smoothed = self._labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        return tf.gather(smoothed, labels)
