"""Tests that docs/grw_math.md says what the loss does: its code runs, its numbers are.

The page's blocks are numpy of their own, so this is a second reading of the loss.
"""

import math
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.losses import grw_loss, grw_terms
from grw_tf.random_walk import orders as orders_lib

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "grw_math.md").read_text()


@pytest.fixture(scope="module")
def page():
    """The names that the page's code defines."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)
    return names


def _window(frames, channels=4, scale=0.6):
    rng = np.random.default_rng(frames)
    return np.cumsum(1 + scale * rng.normal(size=(frames, channels)), axis=0) / 2


def _number(cell):
    """Returns a table's cell as a number."""
    return float(cell.replace(",", "").split()[0])


def _rows(heading):
    """Returns the rows of the table in a section, as lists of cells."""
    section = TEXT.partition(f"\n{heading}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.parametrize("frames", range(3, 9))
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_literal_and_gram_form_are_the_loss(page, frames, alpha):
    z = _window(frames)
    expected = float(grw_loss(z[None], alpha=alpha)[0])
    assert page["literal_loss"](z, alpha) == pytest.approx(expected, rel=1e-9)
    assert page["gram_loss"](z, alpha) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("frames", range(4, 10))
def test_dynamic_program_is_the_order_term(page, frames):
    z = _window(frames)
    ratio = page["log_ratio_of_others"](page["gram"](z))
    expected = float(grw_terms(z[None], orders="exact").order[0])
    assert page["softplus"](ratio) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("frames", [3, 5, 8])
def test_gradient_is_the_losses(page, frames):
    z = _window(frames)
    variable = tf.constant(z[None])
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = grw_loss(variable, alpha=0.7)
    expected = tape.gradient(loss, variable)[0]
    np.testing.assert_allclose(page["gradient"](z, 0.7), expected, atol=1e-10)


def test_sampled_loss_is_that_of_the_same_orders_and_lower(page):
    # Rough embeddings, for which many orders are likely.
    z = _window(8, scale=0.1) + np.random.default_rng(0).normal(size=(8, 4))
    exact = float(grw_terms(z[None]).order[0])
    losses = []
    for seed in range(20):
        drawn = orders_lib.sample_orders(8, 199, seed)
        losses.append(page["sampled_order_loss"](z, drawn))
        sampled = grw_terms(z[None], orders="sampled", max_orders=200, seed=seed)
        assert losses[-1] == pytest.approx(float(sampled.order[0]), rel=1e-9)
    others = page["log_ratios"](page["gram"](z))
    total = np.exp(page["log_sum_exp"](others, axis=0))
    bound = np.log1p(199 / math.factorial(7) * total)
    error = np.std(losses) / math.sqrt(len(losses))
    assert np.mean(losses) < bound + 3 * error
    assert bound < exact - 0.5


def test_order_accuracy_is_the_pages(page):
    windows = [_window(5), np.ones((5, 4)), _window(5)[[0, 2, 1, 3, 4]]]
    found = [page["order_is_right"](z) for z in windows]
    assert found == [True, False, False]
    np.testing.assert_array_equal(grw_terms(np.stack(windows)).order_accuracy, found)


def test_standing_still_is_no_minimum(page):
    orders = np.argsort(page["all_orders"](6), axis=1)
    q = page["difference_form"](6, 2)
    mean = np.mean([q[np.ix_(places, places)] for places in orders], axis=0)
    curvature = q - mean + 0.5 * page["difference_form"](6, 1)
    assert np.linalg.eigvalsh(curvature).min() < -1
    np.testing.assert_allclose(page["gradient"](np.ones((6, 4)), 0.5), 0, atol=1e-12)


def test_counts_of_the_table_are_right():
    rows = _rows("**Cost.**")
    assert [int(row[0]) for row in rows] == list(range(5, orders_lib.MAX_EXACT + 1))
    for frames, orders, sums, memory, method in rows:
        frames, sums = int(frames), _number(sums)
        assert _number(orders) == math.factorial(frames - 1)
        assert sums == sum(
            math.comb(frames - 1, n) * n * (n - 1) * (n - 2) for n in range(3, frames)
        )
        assert _number(memory) == pytest.approx(sums * 4 / 1024, abs=0.05)
        assert method == orders_lib.choose_method(frames, "auto", 1000)
    # The shorter way is what is taken.
    assert all((_number(r[1]) > _number(r[2])) == (r[4] == "dynamic") for r in rows)


def test_numbers_in_the_text_are_right():
    random_orders = (math.log(1000), math.lgamma(13))
    assert "6.9 and not 20.0" in TEXT
    assert [round(x, 1) for x in random_orders] == [6.9, 20.0]
    windows = math.factorial(12) / (999 * 11)
    assert f"once in {round(windows, -3):,.0f} windows" in TEXT
    assert f"{math.factorial(5) * 6 * 480:,} numbers against 120" in TEXT


def test_readme_has_costs_of_the_table():
    readme = (DOCS.parent / "README.md").read_text()
    rows = {row[0]: row for row in _rows("## 8. ")}
    assert list(rows) == [str(frames) for frames in range(5, 13)]
    (row,) = re.findall(r"^\| `\[160, 6, 480\]`.*", readme, re.MULTILINE)
    assert f"| {rows['6'][1]} (permuted copies) | {rows['6'][2]} |" in row
    assert f"`T = 12` in {rows['12'][2]} |" in row
