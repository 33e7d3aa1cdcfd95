"""Tests of the optimizer of several groups of variables."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from official.modeling.optimization import ExponentialMovingAverage
from official.modeling.optimization.legacy_adamw import AdamWeightDecay

from grw_tf.training.optimization.grouped_optimizer import GroupedOptimizer

legacy = tf_keras.optimizers.legacy
LossScaleOptimizer = tf_keras.mixed_precision.LossScaleOptimizer

RATES = {
    "backbone": tf_keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
    "head": tf_keras.optimizers.schedules.PolynomialDecay(0.5, 10),
}
KINDS = {
    "sgd": lambda rate: legacy.SGD(rate, momentum=0.9),
    "adam": lambda rate: legacy.Adam(rate),
    "adamw": lambda rate: AdamWeightDecay(
        rate, weight_decay_rate=0.1, gradient_clip_norm=0.0
    ),
}
SHAPES = {"backbone": [(2, 3), (3,)], "head": [(3, 2), (2,)]}


class Weights(tf.Module):
    """Variables of two groups, all of one name."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.groups = {
            group: [
                tf.Variable(rng.normal(size=s), name="v", dtype="float32") for s in g
            ]
            for group, g in SHAPES.items()
        }
        self.all = self.groups["backbone"] + self.groups["head"]
        self._group_by_ref = {
            variable.ref(): group
            for group, variables in self.groups.items()
            for variable in variables
        }

    def group_of(self, variable):
        return self._group_by_ref[variable.ref()]

    def numpy(self):
        return [variable.numpy() for variable in self.all]


def _gradients(steps, seed=1):
    """Returns gradients of `Weights.all` for each of some steps."""
    rng = np.random.default_rng(seed)
    shapes = SHAPES["backbone"] + SHAPES["head"]
    return [
        [rng.normal(size=s).astype("float32") for s in shapes] for _ in range(steps)
    ]


def _grouped(weights, kind="sgd", rates=RATES, **fields):
    optimizers = {group: KINDS[kind](rate) for group, rate in rates.items()}
    return GroupedOptimizer(optimizers, weights.group_of, **fields)


def _apply(optimizer, variables, *steps):
    """Takes a step for each list of gradients."""
    for gradients in steps:
        gradients = [None if g is None else tf.constant(g) for g in gradients]
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))


def _separately(gradients, kind, rates=RATES):
    """Trains each group alone, by an optimizer of its own."""
    weights = Weights()
    start = {"backbone": 0, "head": len(SHAPES["backbone"])}
    for group, variables in weights.groups.items():
        own = [g[start[group] :][: len(variables)] for g in gradients]
        _apply(KINDS[kind](rates[group]), variables, *own)
    return weights.numpy()


def _mean(gradients):
    return [sum(g) / np.float32(len(gradients)) for g in zip(*gradients, strict=True)]


def _assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def _assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _constant(value):
    return {group: value for group in RATES}


@pytest.mark.parametrize("kind", KINDS)
def test_groups_train_as_by_separate_optimizers(kind):
    gradients = _gradients(5)
    weights = Weights()
    optimizer = _grouped(weights, kind)
    _apply(optimizer, weights.all, *gradients)
    _assert_equal(weights.numpy(), _separately(gradients, kind))
    assert optimizer.iterations.numpy() == 5


def test_schedules_and_momentum_are_as_in_numpy():
    weights = Weights()
    optimizer = _grouped(weights)
    expected = [value.astype("float64") for value in weights.numpy()]
    velocity = [np.zeros_like(value) for value in expected]
    for step, gradient in enumerate(_gradients(4)):
        _apply(optimizer, weights.all, gradient)
        rates = [0.1 * 0.5 ** (step / 2)] * 2
        rates += [0.0001 + (0.5 - 0.0001) * (1 - step / 10)] * 2
        for i, rate in enumerate(rates):
            velocity[i] = 0.9 * velocity[i] - rate * gradient[i]
            expected[i] += velocity[i]
    _assert_close(weights.numpy(), expected)


def test_rates_are_those_of_the_next_update():
    weights = Weights()
    optimizer = _grouped(weights)
    for step, gradient in enumerate(_gradients(3)):
        rates = optimizer.learning_rates()
        assert rates == {group: rate(step) for group, rate in RATES.items()}
        assert optimizer.learning_rate == rates["backbone"] != rates["head"]
        _apply(optimizer, weights.all, gradient)


@pytest.mark.parametrize("wrap", [ExponentialMovingAverage, LossScaleOptimizer])
def test_wrappers_show_the_first_rate(wrap):
    optimizer = wrap(_grouped(Weights()))
    np.testing.assert_allclose(optimizer.learning_rate, 0.1)


def test_one_rate_for_all_cannot_be_set():
    optimizer = _grouped(Weights())
    with pytest.raises(ValueError, match=r"optimizers\[group\].*backbone, head"):
        optimizer.learning_rate = 0.1


def test_clipping_is_by_the_norm_of_all_groups_together():
    gradient = _gradients(1)[0]
    norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in gradient))
    weights = Weights()
    before = weights.numpy()
    optimizer = _grouped(weights, rates=_constant(1.0), global_clipnorm=norm / 4)
    _apply(optimizer, weights.all, gradient)
    for start, end, g in zip(before, weights.numpy(), gradient, strict=True):
        np.testing.assert_allclose(start - end, g / 4, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kth_step_applies_the_mean_of_k(kind):
    gradients = _gradients(8)
    weights = Weights()
    optimizer = _grouped(weights, kind, rates=_constant(0.1), accumulation_steps=4)
    _apply(optimizer, weights.all, *gradients)
    means = [_mean(gradients[:4]), _mean(gradients[4:])]
    _assert_equal(weights.numpy(), _separately(means, kind, _constant(0.1)))
    assert optimizer.iterations.numpy() == 8


def test_nothing_moves_in_between():
    weights = Weights()
    optimizer = _grouped(weights, "adam", accumulation_steps=3)

    def state():
        slots = [w.numpy() for o in optimizer.optimizers.values() for w in o.weights]
        rates = [rate.numpy() for rate in optimizer.learning_rates().values()]
        return [*weights.numpy(), *slots, *rates]

    states = []
    for gradient in _gradients(7):
        _apply(optimizer, weights.all, gradient)
        states.append(state())
    for step in (1, 3, 4, 6):
        _assert_equal(states[step], states[step - 1])
    for step in (2, 5):
        pairs = zip(states[step], states[step - 1], strict=True)
        assert all((one != other).any() for one, other in pairs)


def test_rates_hold_for_an_accumulation():
    weights = Weights()
    optimizer = _grouped(weights, accumulation_steps=3)
    seen = []
    for gradient in _gradients(7):
        seen.append(optimizer.learning_rates()["backbone"].numpy())
        _apply(optimizer, weights.all, gradient)
    expected = [RATES["backbone"](step).numpy() for step in (0, 0, 0, 3, 3, 3, 6)]
    assert seen == expected


def test_clipping_is_of_the_mean():
    gradients = _gradients(2)
    gradients[1] = [-g for g in gradients[0]]
    gradients[1][0][0, 0] += 8.0
    weights = Weights()
    before = weights.numpy()
    optimizer = _grouped(
        weights, rates=_constant(1.0), accumulation_steps=2, global_clipnorm=1.0
    )
    _apply(optimizer, weights.all, *gradients)
    steps = [start - end for start, end in zip(before, weights.numpy(), strict=True)]
    np.testing.assert_allclose(steps[0][0, 0], 1.0, rtol=1e-5)
    for step in steps[1:]:
        np.testing.assert_allclose(step, 0, atol=1e-6)


def _wrapped(weights, wrap, **fields):
    optimizer = _grouped(weights, "adam", **fields)
    if wrap == "average":
        optimizer = ExponentialMovingAverage(optimizer, average_decay=0.5)
        optimizer.shadow_copy(weights)
    elif wrap == "loss scale":
        optimizer = LossScaleOptimizer(optimizer, dynamic_growth_steps=3)
    return optimizer


@pytest.mark.parametrize("restore_late", [False, True])
@pytest.mark.parametrize(
    "wrap,accumulation_steps,killed_after",
    slow_but(
        [("", 1, 2), ("average", 3, 1), ("loss scale", 3, 5)],
        [
            ("", 1, 2),
            *itertools.product(("", "average", "loss scale"), (3,), (1, 3, 5)),
        ],
    ),
)
def test_restored_run_goes_on_to_the_same_bits(
    wrap, accumulation_steps, killed_after, restore_late, tmp_path
):
    gradients = _gradients(8)

    def fresh():
        weights = Weights()
        optimizer = _wrapped(weights, wrap, accumulation_steps=accumulation_steps)
        return weights, optimizer, tf.train.Checkpoint(w=weights, optimizer=optimizer)

    weights, optimizer, checkpoint = fresh()
    for step, gradient in enumerate(gradients):
        if step == killed_after:
            path = checkpoint.write(str(tmp_path / "checkpoint"))
        _apply(optimizer, weights.all, gradient)

    resumed, again, checkpoint = fresh()
    if restore_late:
        _apply(again, resumed.all, *_gradients(2, seed=5))
    status = checkpoint.read(path)
    _apply(again, resumed.all, *gradients[killed_after:])
    status.assert_consumed()
    _assert_equal(resumed.numpy(), weights.numpy())
    _assert_equal(_state(again, resumed), _state(optimizer, weights))


def _state(optimizer, weights):
    state = [weight.numpy() for weight in optimizer.weights]
    if isinstance(optimizer, ExponentialMovingAverage):
        state += [optimizer.get_slot(v, "average").numpy() for v in weights.all]
    if isinstance(optimizer, LossScaleOptimizer):
        state += [optimizer.loss_scale.numpy(), optimizer.dynamic_counter.numpy()]
    # Restored slots are made in another order.
    return sorted(state, key=lambda value: (value.shape, value.tolist()))


def test_run_goes_on_with_fewer_steps_to_an_update(tmp_path):
    weights = Weights()
    optimizer = _grouped(weights, rates=_constant(0.1), accumulation_steps=4)
    gradients = _gradients(4)
    _apply(optimizer, weights.all, *gradients[:3])
    path = tf.train.Checkpoint(optimizer=optimizer, w=weights).write(tmp_path / "c")
    resumed = Weights()
    optimizer = _grouped(resumed, rates=_constant(0.1), accumulation_steps=2)
    tf.train.Checkpoint(optimizer=optimizer, w=resumed).read(path)
    _apply(optimizer, resumed.all, gradients[3])
    expected = _separately([_mean(gradients)], "sgd", _constant(0.1))
    _assert_equal(resumed.numpy(), expected)


@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_moving_average_goes_by_the_trainers_steps(accumulation_steps):
    weights = Weights()
    optimizer = _wrapped(weights, "average", accumulation_steps=accumulation_steps)
    averages = [np.zeros_like(value) for value in weights.numpy()]
    for step, gradient in enumerate(_gradients(6), start=1):
        _apply(optimizer, weights.all, gradient)
        decay = min(0.5, (1 + step) / (10 + step))
        averages = [
            decay * average + (1 - decay) * value
            for average, value in zip(averages, weights.numpy(), strict=True)
        ]
    _assert_close([optimizer.get_slot(v, "average") for v in weights.all], averages)


def test_overflow_leaves_out_the_step_in_all_groups():
    gradients = _gradients(3)
    overflown = _gradients(1)[0]
    overflown[3][0] = np.inf
    weights = Weights()
    optimizer = _wrapped(weights, "loss scale")
    scale = optimizer.loss_scale.numpy()
    _apply(optimizer, weights.all, gradients[0])
    before = weights.numpy()
    _apply(optimizer, weights.all, overflown)
    _assert_equal(weights.numpy(), before)
    assert optimizer.iterations.numpy() == 2
    assert optimizer.loss_scale.numpy() == scale / 2
    assert optimizer.learning_rate == RATES["backbone"](2)
    _apply(optimizer, weights.all, gradients[1])
    assert all((a != b).all() for a, b in zip(weights.numpy(), before, strict=True))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_overflow_is_not_part_of_an_accumulation(position):
    gradients = _gradients(4)
    overflown = _gradients(1)[0]
    overflown[0][0, 0] = np.nan
    expected = Weights()
    optimizer = _wrapped(expected, "", rates=_constant(0.1), accumulation_steps=2)
    _apply(optimizer, expected.all, *gradients)
    weights = Weights()
    optimizer = _wrapped(
        weights, "loss scale", rates=_constant(0.1), accumulation_steps=2
    )
    gradients.insert(position, overflown)
    _apply(optimizer, weights.all, *gradients)
    _assert_equal(weights.numpy(), expected.numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", ["backbone", "head"])
def test_frozen_group_stays_and_then_trains_as_anew(kind, frozen):
    gradients = _gradients(6)
    weights = Weights()
    optimizer = _grouped(weights, kind, rates=_constant(0.1))
    before = [v.numpy() for v in weights.groups[frozen]]
    for step, gradient in enumerate(gradients):
        if step < 3:
            pairs = zip(gradient, weights.all, strict=True)
            pairs = [p for p in pairs if weights.group_of(p[1]) != frozen]
            _apply(optimizer, [v for _, v in pairs], [g for g, _ in pairs])
            _assert_equal([v.numpy() for v in weights.groups[frozen]], before)
        else:
            _apply(optimizer, weights.all, gradient)
    thawed, always = (
        _separately(seen, kind, _constant(0.1)) for seen in (gradients[3:], gradients)
    )
    backbone, head = (thawed, always) if frozen == "backbone" else (always, thawed)
    _assert_equal(weights.numpy(), backbone[:2] + head[2:])


def test_variable_without_gradient_is_left_alone():
    weights = Weights()
    optimizer = _grouped(weights, "adam")
    before = weights.numpy()
    gradient = _gradients(1)[0]
    gradient[1] = None
    _apply(optimizer, weights.all, gradient)
    same = [(a == b).all() for a, b in zip(weights.numpy(), before, strict=True)]
    assert same == [False, True, False, False]


def test_sums_of_a_variable_frozen_meanwhile_are_dropped():
    weights = Weights()
    optimizer = _grouped(weights, rates=_constant(1.0), accumulation_steps=2)
    gradients = _gradients(4)
    without = [None, None, *gradients[1][2:]]
    before = weights.numpy()
    _apply(optimizer, weights.all, gradients[0], without, *gradients[2:])
    mean = (gradients[2][0] + gradients[3][0]) / 2
    np.testing.assert_allclose(before[0] - weights.numpy()[0], mean, rtol=1e-5)


@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_sparse_gradients(accumulation_steps):
    weights = Weights()
    optimizer = _grouped(weights, accumulation_steps=accumulation_steps)
    before = weights.numpy()
    sparse = tf.IndexedSlices(tf.ones((2, 3)), tf.constant([1, 1]), (2, 3))
    for _ in range(accumulation_steps):
        optimizer.apply_gradients([(sparse, weights.all[0])])
    step = before[0] - weights.numpy()[0]
    np.testing.assert_allclose(step, [[0] * 3, [0.2] * 3], rtol=1e-5)


def test_steps_trace_and_compile():
    weights, expected = Weights(), Weights()
    optimizer = _grouped(weights, "adam", accumulation_steps=2, global_clipnorm=1.0)

    @tf.function(jit_compile=True)
    def step(gradients):
        optimizer.apply_gradients(zip(gradients, weights.all, strict=True))

    eager = _grouped(expected, "adam", accumulation_steps=2, global_clipnorm=1.0)
    for gradient in _gradients(5):
        step([tf.constant(g) for g in gradient])
        _apply(eager, expected.all, gradient)
    _assert_close(weights.numpy(), expected.numpy())


def test_groups_must_be_known():
    weights = Weights()
    optimizer = _grouped(weights)
    optimizer.group_of = None
    with pytest.raises(ValueError, match="set group_of.*backbone, head, before the"):
        _apply(optimizer, weights.all, _gradients(1)[0])
    optimizer.group_of = lambda variable: "neck"
    with pytest.raises(ValueError, match="puts v:0 in 'neck'; groups are backbone, he"):
        _apply(optimizer, weights.all, _gradients(1)[0])


@pytest.mark.parametrize(
    "optimizer,error,message",
    [
        (lambda: tf_keras.optimizers.SGD(), ValueError, "is a SGD, not a legacy"),
        (lambda: LossScaleOptimizer(legacy.SGD()), TypeError, "wrap the Grouped"),
        (lambda: ExponentialMovingAverage(legacy.SGD()), TypeError, "wrap the Grouped"),
        (lambda: AdamWeightDecay(), ValueError, "own gradient_clip_norm: give"),
        (lambda: legacy.SGD(clipvalue=1.0), ValueError, "own clipvalue: give"),
        (
            lambda: legacy.SGD(gradient_transformers=[list]),
            ValueError,
            "own gradient_transformers: give",
        ),
    ],
)
def test_unfit_optimizers_are_refused(optimizer, error, message):
    with pytest.raises(error, match=f"group 'head' .*{message}"):
        GroupedOptimizer({"head": optimizer()})


def test_no_steps_to_an_update_are_refused():
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        _grouped(Weights(), accumulation_steps=0)
