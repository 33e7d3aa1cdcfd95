"""How logits become scores of classes: softmax, or a sigmoid for each class."""

from grw_tf.common.suggestions import suggest

SOFTMAX, SIGMOID = "softmax", "sigmoid"
OUTPUT_ACTIVATIONS = (SOFTMAX, SIGMOID)

DEFAULT_THRESHOLD = 0.5
"""The score from which a sigmoid names its class, if none was chosen on clips."""


def check_output_activation(name: str) -> None:
    """Raises a `ValueError` if a name is not one of `OUTPUT_ACTIVATIONS`."""
    if name not in OUTPUT_ACTIVATIONS:
        raise ValueError(
            f"output_activation is {name!r:.80}; {suggest(name, OUTPUT_ACTIVATIONS)}"
        )
