"""The loss and the layers for Keras 3 (`keras`), written in `keras.ops`.

They are for models of your own: the Model Garden and the rest of this project use Keras
2 (`tf_keras`), and the two cannot be mixed in one model.
"""

from grw_tf.keras3.grw_smoothing import GRWSmoothing
from grw_tf.keras3.intermediate_grw_smoothing import IntermediateGRWSmoothing
from grw_tf.keras3.losses import grw_loss

__all__ = ["GRWSmoothing", "IntermediateGRWSmoothing", "grw_loss"]
