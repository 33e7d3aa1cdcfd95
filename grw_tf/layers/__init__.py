"""Keras layers (`tf_keras`, as the Model Garden's)."""

from grw_tf.layers.causal_temporal_transformer_head import (
    CausalTemporalTransformerHead,
)
from grw_tf.layers.grw_smoothing import GRWSmoothing
from grw_tf.layers.intermediate_grw_smoothing import IntermediateGRWSmoothing
from grw_tf.layers.mean_head import MeanHead
from grw_tf.layers.random_drop import RandomDrop
from grw_tf.layers.random_mean_scaling import RandomMeanScaling
from grw_tf.layers.shake_drop import ShakeDrop
from grw_tf.layers.temporal_transformer_head import TemporalTransformerHead

__all__ = [
    "CausalTemporalTransformerHead",
    "GRWSmoothing",
    "IntermediateGRWSmoothing",
    "MeanHead",
    "RandomDrop",
    "RandomMeanScaling",
    "ShakeDrop",
    "TemporalTransformerHead",
]
