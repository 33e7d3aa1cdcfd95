"""Tests of what docs/warmup.md derives."""

import pathlib
import re

import numpy as np
import pytest

from grw_tf.losses import grw_loss

TEXT = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "warmup.md").read_text()


def test_loss_of_a_straight_path_is_least_at_the_step_of_the_page():
    steps = np.linspace(0.5, 1.0, 501)
    paths = steps[:, None, None] * np.arange(6.0)[:, None]
    best = steps[np.argmin(grw_loss(paths, alpha=0.5))]
    told = re.search(r"least at a step of ([\d.]+)", TEXT)[1]
    assert float(told) == pytest.approx(best, abs=0.005)
    assert f"Such a path is {5 * best:.1f} long" in TEXT
