"""Tests of the registry of official checkpoints."""

import pytest

from grw_tf.models import preset
from grw_tf.weights import official


def test_twelve_checkpoints_are_known_with_their_presets():
    assert len(official.OFFICIAL) == 12
    for name, checkpoint in official.OFFICIAL.items():
        assert checkpoint.name == name
        assert checkpoint.url.endswith(f"/vision/movinet/{name}.tar.gz")
        assert checkpoint.config == preset(name.removeprefix("movinet_"))


@pytest.mark.parametrize(
    "name", ["a0_stream", "movinet_a0_stream", "MoViNet-A0-Stream", "A0-STREAM"]
)
def test_names_are_taken_as_users_type_them(name):
    checkpoint = official.find(name)
    assert checkpoint.name == "movinet_a0_stream"
    figures = (checkpoint.top1, checkpoint.top5, checkpoint.megabytes)
    assert figures == (72.05, 90.63, 12)


@pytest.mark.parametrize("name", ["", "a6_stream", "movinet", "runs/a0_stream"])
def test_other_names_are_unknown(name):
    assert official.find(name) is None


def test_hint_names_the_nearest_and_all():
    hint = official.hint("MoViNet-A3-Steam")
    assert hint.startswith("Did you mean movinet_a3_stream? ")
    assert all(name in hint for name in official.OFFICIAL)
    assert official.hint("/data/weights").startswith("Official checkpoints: ")
