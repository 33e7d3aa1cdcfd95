"""Tests of the figures of a comparison, from runs with given embeddings."""

import re

import pytest
from finished_runs import first_right
from matplotlib.figure import Figure

from grw_tf.comparison import picture
from grw_tf.comparison.outcomes import read_outcomes
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.principal_components import principal_components


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    saved = []
    save = Figure.savefig

    def noted(figure, *given, **options):
        saved.append(figure)
        save(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", noted)
    return saved


@pytest.fixture
def small(finishing):
    return finishing(lambda variant, seed: first_right(9 + variant), seeds=2)


def test_each_variant_has_a_panel_below_the_frames(small, figures, tmp_path):
    path = tmp_path / "embeddings.png"
    picture.draw_embeddings(small, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    *frames, baseline, grw = figures[0].axes
    assert [axis.get_title()[4:] for axis in frames] == list(small.class_names[:3])
    assert [axis.get_title()[:3] for axis in frames] == ["(a)", "(b)", "(c)"]
    assert all(axis.images for axis in frames)
    for axis, variant in ((baseline, "without"), (grw, "with")):
        first, motion, shares = axis.get_title().splitlines()
        assert first == f"Embeddings {variant} smoothing"
        for measure in ("|a|/|v|", "order accuracy", "straightness"):
            assert f"{measure} " in motion
        assert re.fullmatch(
            r"test accuracy 0\.\d+ \(24 videos\), \d+% of the variance", shares
        )
        # Of eight clips, six classes have one and two have two.
        assert 3 <= len(axis.lines) <= 6
        assert {text.get_text() for text in axis.texts} == set("01234567")


def test_measures_in_a_title_are_of_the_drawn_plane(small, figures, tmp_path):
    picture.draw_embeddings(small, tmp_path / "embeddings.png")
    outcome = read_outcomes(small.runs())["grw", small.seeds[0]]
    z, clips = outcome.embeddings()
    points, shares = principal_components(z)
    measured = directions(points, [outcome.labels[clip] for clip in clips])
    title = figures[0].axes[-1].get_title()
    assert f"straightness {measured.straightness:.2f}," in title
    assert f"direction accuracy {measured.accuracy:.2f}\n" in title
    assert f"{shares.sum():.0%} of the variance" in title


def test_curves_are_of_training_and_validation(small, figures, tmp_path):
    picture.draw_training(small, tmp_path / "curves.png")
    loss, accuracy, order = figures[0].axes
    assert [axis.get_title() for axis in (loss, accuracy)] == ["loss", "accuracy"]
    assert len(loss.lines) == len(accuracy.lines) == 4
    assert not order.lines
