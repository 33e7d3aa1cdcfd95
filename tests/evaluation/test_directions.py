"""Tests of the measures of straightness and of the directions of classes."""

import math

import numpy as np
import pytest

from grw_tf.evaluation.directions import directions

_ANGLES = 2 * np.pi * np.arange(3) / 3
_STAR = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def _lines(labels, scale=1.0, frames=6):
    """Clips [clips, frames, 2] that move straight, each class its own way."""
    steps = np.arange(frames)[:, None] * np.asarray(scale).reshape(-1, 1, 1)
    return steps * _STAR[np.asarray(labels)][:, None]


def _values(measured):
    return (
        measured.straightness,
        measured.consistency,
        measured.accuracy,
        measured.explained,
    )


def test_a_star_of_straight_lines_has_the_highest_values():
    labels = [0, 1, 2] * 4
    assert _values(directions(_lines(labels), labels)) == pytest.approx((1, 1.5, 1, 1))


def test_two_opposite_classes_are_as_consistent_as_can_be():
    z = np.array([1.0, 1, -1, -1])[:, None, None] * np.arange(3)[:, None]
    assert directions(z, [0, 0, 1, 1]).consistency == pytest.approx(2)


def test_straightness_is_the_displacement_by_the_path():
    # One right angle, and a path that ends where it began.
    corner = [(0, 0), (3, 0), (3, 4)]
    back = [(0, 0), (1, 1), (0, 0)]
    measured = directions(np.array([corner, back], float), [0, 1])
    assert measured.straightness == pytest.approx((5 / 7 + 0) / 2)


def test_scale_origin_and_rotation_change_nothing():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    z = _lines(labels) + rng.normal(size=(30, 6, 2))
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    moved = 7 * z @ turn + rng.normal(size=(30, 1, 2))
    assert _values(directions(moved, labels)) == pytest.approx(
        _values(directions(z, labels))
    )


def test_speed_within_a_class_takes_from_what_it_explains_alone():
    labels = np.arange(60) % 3
    scale = np.random.default_rng(0).uniform(0.2, 2, 60)
    measured = directions(_lines(labels, scale), labels)
    assert _values(measured)[:3] == pytest.approx((1, 1.5, 1))
    assert 0.5 < measured.explained < 0.9


def test_directions_that_do_not_depend_on_the_class_are_at_chance():
    rng = np.random.default_rng(0)
    found = [
        _values(directions(rng.normal(size=(12, 2, 8)), np.arange(12) % 3))[1:]
        for _ in range(400)
    ]
    # They would be far above it if the class's direction held the clip's own.
    np.testing.assert_allclose(np.mean(found, axis=0), (0, 1 / 3, 0), atol=0.03)


def test_cosines_are_those_of_directions_estimated_without_the_clip():
    rng = np.random.default_rng(1)
    labels = np.array([0, 0, 1, 1, 1, 2, 2])
    z = rng.normal(size=(7, 4, 3))
    units = z[:, -1] - z[:, 0]
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    consistency, right = [], []
    for clip, label in enumerate(labels):
        others = np.arange(7) != clip
        means = [units[others & (labels == k)].mean(axis=0) for k in range(3)]
        cosines = [units[clip] @ m / np.linalg.norm(m) for m in means]
        rest = [cosine for k, cosine in enumerate(cosines) if k != label]
        consistency.append(cosines[label] - np.mean(rest))
        right.append(np.argmax(cosines) == label)
    measured = directions(z, labels)
    assert measured.consistency == pytest.approx(np.mean(consistency))
    assert measured.accuracy == np.mean(right)


def test_a_clip_that_ends_where_it_began_counts_as_wrong():
    labels = [0, 0, 0, 1, 1, 1]
    z = _lines(labels)
    z[0, -1] = z[0, 0]
    assert directions(z, labels).accuracy == pytest.approx(5 / 6)


def test_classes_of_one_clip_are_left_out():
    labels = [0, 0, 0, 1, 1, 1]
    z = _lines(labels) + np.random.default_rng(0).normal(size=(6, 6, 2))
    more = np.concatenate([z, _lines([2])])
    pair, three = directions(z, labels), directions(more, [*labels, 2])
    assert _values(three)[1:] == _values(pair)[1:]
    assert three.straightness > pair.straightness


@pytest.mark.parametrize(
    ("z", "labels", "straight"),
    [
        (_lines([0, 0, 0]), [0, 0, 0], True),
        (_lines([0, 1, 2]), [0, 1, 2], True),
        (_lines([0, 0, 1, 1], 0.0), [0, 0, 1, 1], False),
        (_lines([0, 0, 1, 1], frames=1), [0, 0, 1, 1], False),
        (_lines([0]), [0], True),
    ],
    ids=["one class", "single clips", "no movement", "one frame", "one clip"],
)
def test_what_is_not_defined_is_nan(z, labels, straight):
    straightness, *others = _values(directions(z, labels))
    assert straightness == pytest.approx(1) if straight else math.isnan(straightness)
    assert all(map(math.isnan, others))


def test_equal_displacements_of_all_classes_explain_nothing():
    measured = directions(_lines([0] * 6), [0, 0, 0, 1, 1, 1])
    assert measured.consistency == pytest.approx(0)
    # No class is nearer than the other.
    assert measured.accuracy == 0
    assert math.isnan(measured.explained)


@pytest.mark.parametrize(
    ("shape", "clips"), [((2, 3), 2), ((2, 3, 4), 3), ((0, 3, 4), 0)]
)
def test_shapes_that_do_not_fit_are_named(shape, clips):
    with pytest.raises(ValueError, match=r"\[clips, N, K\] and labels \[clips\]"):
        directions(np.zeros(shape), np.zeros(clips, int))
