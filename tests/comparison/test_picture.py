"""Tests of the figures of a comparison, from runs with given embeddings."""

import pytest
from finished_runs import first_right
from matplotlib.figure import Figure

from grw_tf.comparison import picture


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
    picture.draw_embeddings(small, path, "Title $x$")
    assert path.read_bytes().startswith(b"\x89PNG")
    *frames, baseline, grw = figures[0].axes
    assert [axis.get_ylabel() for axis in frames] == list(small.class_names[:3])
    assert all(axis.images for axis in frames)
    for axis, name in ((baseline, "baseline"), (grw, "grw")):
        title = axis.get_title()
        assert title.startswith(f"{name}: test accuracy 0.")
        assert "order accuracy" in title
        # Of eight clips, six classes have one and two have two.
        assert 3 <= len(axis.lines) <= 6


def test_curves_are_of_training_and_validation(small, figures, tmp_path):
    picture.draw_training(small, tmp_path / "curves.png")
    loss, accuracy, order = figures[0].axes
    assert [axis.get_title() for axis in (loss, accuracy)] == ["loss", "accuracy"]
    assert len(loss.lines) == len(accuracy.lines) == 4
    assert not order.lines
