"""What to export and how."""

import dataclasses

from grw_tf.common.flags import option
from grw_tf.export.quantization.quantize import AUTO, MODES
from grw_tf.export.streaming_network import IMAGE_DTYPES, TARGETS
from grw_tf.export.streams import FRAMES
from grw_tf.export.tensorflow_examples import LABEL_FILE, LAYOUT
from grw_tf.weights.thresholds import THRESHOLDS_HELP

CLASSES_HELP = (
    "Export these classes alone: names by commas, or a file with one a line; a softmax"
    " is then over them alone. By default all."
)
GRW_LAYOUT = "grw"
LAYOUTS = (GRW_LAYOUT, LAYOUT)
CPU = "cpu"


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What to export and how; each field is a flag.

    Raises:
        ValueError: At construction, for invalid values.
    """

    checkpoint_dir: str = option(
        "", "--model_dir of a training, or a checkpoint that records its config."
    )
    output: str = option("", "The .tflite file to write.")
    quantization: str = option(
        AUTO,
        "auto (the smallest file that makes the model's choices of class); none;"
        " float16 (half the size); dynamic (8-bit weights, a quarter of the size);"
        " weight_only (the same, computed in float32); int8 (8-bit activations too,"
        " calibrated on clips); or int16 (16-bit activations, 8-bit weights, no floats:"
        " for NPUs that compute in integers alone).",
    )
    frames_per_step: int = option(1, "Frames that the file takes at once.")
    image_dtype: str = option(
        AUTO,
        "Type of frames: uint8 in 0..255, or float32 in 0..1; by default uint8, except"
        " where --target or --layout needs float32.",
    )
    target: str = option(
        CPU,
        "cpu, or gpu for a graph without the patterns that GPU delegates are known to"
        " fail on: float32 throughout, in the file float16 by default.",
    )
    layout: str = option(
        GRW_LAYOUT,
        "grw, or tensorflow_examples for TensorFlow's own sample apps of video"
        f" classification, with their {LABEL_FILE} beside the file.",
    )
    clips: str = option(
        "",
        "Clips to check and calibrate on: a folder of class folders of videos, or"
        " records; by default the training's own if they are available, otherwise drawn"
        " scenes, for checks only.",
    )
    labels: str = option(
        "", "File with the names of the classes; by default labels.txt of the training."
    )
    classes: str = option("", CLASSES_HELP)
    thresholds: str = option("", THRESHOLDS_HELP)
    allow_mismatch: bool = option(
        False,
        "Write the file even if it does not give the model's numbers, or has patterns"
        " that its --target is known to fail on, with a warning inside.",
    )

    def __post_init__(self) -> None:
        for name, known in (
            ("quantization", MODES),
            ("image_dtype", (*IMAGE_DTYPES, AUTO)),
            ("target", TARGETS),
            ("layout", LAYOUTS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(
                    f"{name} is {value!r}: it must be one of {', '.join(known)}."
                )
        if not 1 <= self.frames_per_step <= FRAMES:
            raise ValueError(
                f"frames_per_step is {self.frames_per_step}: it must be from 1 to"
                f" {FRAMES}."
            )
        gpu, samples = self.target == "gpu", self.layout == LAYOUT
        if gpu and samples:
            raise ValueError(
                f"--layout={LAYOUT} has an image of five axes, which GPU delegates"
                " refuse: leave --target at cpu."
            )
        flag = f"--target={self.target}" if gpu else f"--layout={LAYOUT}"
        if (gpu or samples) and self.quantization == "int16":
            raise ValueError(
                f"quantization is int16, for NPUs that compute in integers alone: leave"
                f" out {flag}."
            )
        if (gpu or samples) and self.image_dtype == "uint8":
            raise ValueError(f"image_dtype is uint8: {flag} takes float32.")
        if samples and self.frames_per_step != 1:
            raise ValueError(
                f"frames_per_step is {self.frames_per_step}: --layout={LAYOUT} takes"
                " one frame a step."
            )
        if "://" in self.output:
            raise ValueError(
                f"output is {self.output}: write a local file and copy it there."
            )

    @property
    def frame_dtype(self) -> str:
        """The type of frames that `image_dtype` stands for."""
        if self.image_dtype != AUTO:
            return self.image_dtype
        bytes_fit = self.target == CPU and self.layout == GRW_LAYOUT
        return "uint8" if bytes_fit else "float32"

    @property
    def mode(self) -> str:
        """The mode of `quantize` that `quantization` stands for."""
        to_floats = self.target == "gpu" and self.quantization == AUTO
        return "float16" if to_floats else self.quantization
