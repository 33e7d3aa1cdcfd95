"""Tests of layouts against the models they describe."""

import itertools
import math

import pytest
from everyday import slow_but
from toy_backbones import BACKBONES, OTHERS_WITH_HEADS
from toy_heads import HEADS

from grw_tf.models import HeadConfig, preset
from grw_tf.weights.model_variables import find_variable, model_layout

TRANSFORMER = HeadConfig(
    type="transformer", embed_dim=32, depth=2, num_heads=2, mlp_dim=16
)
CAUSAL = HeadConfig(type="causal_transformer", num_heads=2)
MOVINETS = slow_but(
    [("3d_2plus1d", "3d", True)],
    itertools.product(
        ("2plus1d", "3d_2plus1d", "3d"), ("2plus3d", "3d"), (False, True)
    ),
)


def _check(model):
    layout = model_layout(model.config)
    variables = {name: find_variable(model, name) for name in layout}
    assert layout == {name: tuple(v.shape) for name, v in variables.items()}
    own = {id(w) for layer in model.smoothing.values() for w in layer.weights}
    rest = {id(w) for w in model.weights} - {id(v) for v in variables.values()}
    assert rest == own


@pytest.mark.parametrize("conv_type, se_type, positions", MOVINETS)
def test_layout_names_every_variable_of_the_official_model(
    nano, conv_type, se_type, positions
):
    backbone = {"conv_type": conv_type, "se_type": se_type}
    _check(nano(backbone=backbone | {"use_positional_encoding": positions}))


@pytest.mark.parametrize(
    "head",
    slow_but([TRANSFORMER], [HeadConfig(type="mean"), TRANSFORMER, CAUSAL]),
    ids=lambda head: head.type,
)
def test_layout_names_every_variable_of_models_with_embeddings(nano, head):
    _check(nano(head=head))


@pytest.mark.slow
@pytest.mark.parametrize("se_type", slow_but(["none"], ["none", "2d"]))
def test_layout_knows_other_squeeze_excitations(nano, se_type):
    _check(nano(backbone={"se_type": se_type}))


@pytest.mark.parametrize("model_id, head", OTHERS_WITH_HEADS)
def test_layout_names_every_variable_of_other_families(nano, model_id, head):
    _check(nano(backbone=BACKBONES[model_id], head=HEADS[head]))


def test_layout_of_the_largest_model_needs_no_building():
    shapes = model_layout(preset("a5_stream"))
    # As counted once in the built model.
    assert len(shapes) == 1493
    assert sum(map(math.prod, shapes.values())) == 31_636_734


def test_name_that_a_model_lacks_is_told(nano):
    with pytest.raises(KeyError, match="nothing at '_blocks'"):
        find_variable(nano(), "head/_blocks/0/kernel")
