r"""Shows where and when a video speaks for a class, by Grad-CAM.

    grw-explain --checkpoint_dir=runs/own --video=clip.mp4 --output_dir=explained \
        [--class_name=NAME]

OUTPUT_DIR gets a contact sheet, clip.png, and a video, clip.mp4, of the frames as the
model sees them. They glow where the features of the backbone's last endpoint raise the
logit of the class, by default the likeliest one. It works with every backbone.
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.explain import ExplanationConfig, explain


def define_flags() -> None:
    flags.define_flags(
        ExplanationConfig, required=["checkpoint_dir", "video", "output_dir"]
    )


def main(_: object) -> None:
    tell_devices()
    print(explain(flags.config_from_flags(ExplanationConfig)))
