"""Names of the signatures, inputs and outputs of exported files."""

from collections.abc import Container

STEP, CLASSIFY = "step", "classify"
SERVING = "serving_default"
"""Name of the signature of steps in the layout of TensorFlow's samples."""
CLASSIFY_CLIP = "classify_clip"
"""Name of the only signature of a file that classifies whole clips."""
IMAGE, LOGITS = "image", "logits"
FRAME_COUNT = "frame_count"
"""How the names of states end that count a stream's frames."""


def step_signature(names: Container[str]) -> str:
    """Returns which of a file's signatures takes a step; `STEP` if it has neither."""
    return SERVING if STEP not in names and SERVING in names else STEP
