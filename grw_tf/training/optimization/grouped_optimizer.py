"""An optimizer that gives each group of variables its own optimizer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling.optimization import ExponentialMovingAverage

_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_clip_norm")
_SUM = "gradient_sum"


class GroupedOptimizer(tf_keras.optimizers.legacy.Optimizer):
    """Sends each variable's gradient to the optimizer of the variable's group.

    It works inside the Model Garden's `ExponentialMovingAverage` or Keras'
    `LossScaleOptimizer`. `tf.train.Checkpoint(optimizer=...)` saves it completely, even
    between the steps of an accumulation.

    `iterations` counts calls of `apply_gradients`, as the trainer's global step does,
    and all schedules use it, including the moving average's. The optimizers' own
    `iterations` count the updates of their group, so Adam's bias correction begins when
    a frozen group unfreezes.

    With `accumulation_steps` k, every k-th step applies the mean gradient of k steps.
    In between, weights, slots and learning rates stay; the learning rates are those of
    the first of the k steps. A step skipped by loss scaling does not count.

    Args:
        optimizers: Legacy Keras optimizers by name of group, which this one takes over.
            They must not clip; see `**kwargs`.
        group_of: Function from a variable to the name of its group. May be set later as
            an attribute, before the first step.
        accumulation_steps: The number of steps per update.
        name: The name of the optimizer.
        **kwargs: See `tf_keras.optimizers.legacy.Optimizer`. `global_clipnorm` clips by
            the norm of all groups together, after gradients are summed over replicas
            and averaged over steps.

    Raises:
        TypeError: If an optimizer wraps another.
        ValueError: If an optimizer is not a legacy one or clips by itself, or if
            `accumulation_steps` is below 1.
    """

    _HAS_AGGREGATE_GRAD = True

    def __init__(
        self,
        optimizers: Mapping[str, tf_keras.optimizers.legacy.Optimizer],
        group_of: Callable[[tf.Variable], str] | None = None,
        accumulation_steps: int = 1,
        name: str = "GroupedOptimizer",
        **kwargs: Any,
    ):
        super().__init__(name, **kwargs)
        if accumulation_steps < 1:
            raise ValueError(
                f"accumulation_steps must be 1 or more, not {accumulation_steps}."
            )
        self.optimizers = dict(optimizers)
        self.group_of = group_of
        self._accumulation_steps = accumulation_steps
        self._accumulated_steps = None
        for group, optimizer in self.optimizers.items():
            _check(group, optimizer)
            self._track_trackable(optimizer, f"group_{group}")
            rate = optimizer._hyper["learning_rate"]
            if isinstance(rate, tf_keras.optimizers.schedules.LearningRateSchedule):
                optimizer.learning_rate = _AtStep(rate, self._schedule_step)
        # Keras and the wrappers look it up there.
        self._hyper["learning_rate"] = lambda: next(
            iter(self.learning_rates().values())
        )

    def build(self, variables: Sequence[tf.Variable]) -> None:
        """Creates the slots of variables in all optimizers, before the first step."""
        self._create_all_weights(variables)

    def learning_rates(self) -> dict[str, tf.Tensor]:
        """Returns the learning rate of the next update, a scalar per group.

        `learning_rate`, which the Model Garden's trainer logs, is the first of them.
        """
        return {
            group: optimizer._decayed_lr(tf.float32)
            for group, optimizer in self.optimizers.items()
        }

    @property
    def weights(self) -> list[tf.Variable]:
        """The variables of this optimizer and of the groups' optimizers."""
        weights = list(self._weights)
        for optimizer in self.optimizers.values():
            weights += optimizer.weights
        return weights

    def variables(self) -> list[tf.Variable]:
        """Returns the same as `weights`."""
        return self.weights

    def _set_hyper(self, name, value):
        raise ValueError(
            f"{name} cannot be set for all groups at once: set it in"
            f" optimizers[group], where group is one of {', '.join(self.optimizers)}."
        )

    def _schedule_step(self):
        if self._accumulation_steps == 1:
            return self.iterations
        return self.iterations - self._accumulated

    @property
    def _accumulated(self):
        """The variable that counts the steps in the gradient sums."""
        if self._accumulated_steps is None:
            with self._distribution_strategy_scope():
                self._accumulated_steps = self.add_weight(
                    "accumulated_steps",
                    shape=[],
                    dtype=tf.int64,
                    trainable=False,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )
            self._weights.append(self._accumulated_steps)
        return self._accumulated_steps

    def _group(self, variable):
        if self.group_of is None:
            raise ValueError(
                f"{self._name} does not know its groups: set group_of, a function from"
                f" a variable to one of {', '.join(self.optimizers)}, before the first"
                " step."
            )
        group = self.group_of(variable)
        if group not in self.optimizers:
            raise ValueError(
                f"group_of puts {variable.name} in {group!r}; groups are"
                f" {', '.join(self.optimizers)}."
            )
        return group

    def _create_all_weights(self, var_list):
        super()._create_all_weights(var_list)
        for group, optimizer in self.optimizers.items():
            optimizer._create_all_weights(
                [variable for variable in var_list if self._group(variable) == group]
            )

    def _create_slots(self, var_list):
        if self._accumulation_steps > 1:
            _ = self._accumulated
            for variable in var_list:
                self.add_slot(variable, _SUM)

    def _prepare(self, var_list):
        return {
            group: optimizer._prepare(
                [variable for variable in var_list if self._group(variable) == group]
            )
            for group, optimizer in self.optimizers.items()
        }

    def _transform_gradients(self, grads_and_vars):
        if self._accumulation_steps > 1:
            grads_and_vars = self._accumulate(grads_and_vars)
        return super()._transform_gradients(grads_and_vars)

    def _accumulate(self, grads_and_vars):
        """Adds gradients to the sums, and returns the means since the last update."""
        sums = [self.get_slot(variable, _SUM) for _, variable in grads_and_vars]

        def add(distribution, grads):
            for total, grad in zip(sums, grads, strict=True):
                distribution.extended.update(total, _add, args=(grad,), group=False)
            self._accumulated.assign_add(1)

        tf.__internal__.distribute.interim.maybe_merge_call(
            add,
            tf.distribute.get_strategy(),
            [tf.convert_to_tensor(grad) for grad, _ in grads_and_vars],
        )
        return [
            (total / tf.cast(self._accumulated, total.dtype), variable)
            for total, (_, variable) in zip(sums, grads_and_vars, strict=True)
        ]

    def _distributed_apply(self, distribution, grads_and_vars, apply_state, name):
        def update():
            for group, optimizer in self.optimizers.items():
                own = [pair for pair in grads_and_vars if self._group(pair[1]) == group]
                if own:
                    optimizer._distributed_apply(
                        distribution, own, apply_state[group], name
                    )

        def update_and_clear():
            update()
            # All sums, because a variable may have been frozen since.
            for slots in self._slots.values():
                distribution.extended.update(slots[_SUM], _clear, group=False)
            self._accumulated.assign(0)

        if self._accumulation_steps == 1:
            update()
        else:
            tf.cond(
                # Not ==, because a restored run may have had more steps per update.
                self._accumulated >= self._accumulation_steps,
                update_and_clear,
                lambda: None,
            )
        return self.iterations.assign_add(1, read_value=False)


class _AtStep(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A schedule over another step count than its optimizer's."""

    def __init__(self, schedule, step):
        self._schedule = schedule
        self._step = step

    def __call__(self, step):
        return self._schedule(tf.cast(self._step(), step.dtype))


def _add(total, grad):
    return total.assign_add(grad)


def _clear(total):
    return total.assign(tf.zeros_like(total))


def _check(group, optimizer):
    if not isinstance(optimizer, tf_keras.optimizers.legacy.Optimizer):
        raise ValueError(
            f"The optimizer of group {group!r} is a {type(optimizer).__name__}, not a"
            " legacy Keras optimizer, as the Model Garden's moving average needs."
        )
    if isinstance(
        optimizer,
        (ExponentialMovingAverage, tf_keras.mixed_precision.LossScaleOptimizer),
    ):
        raise TypeError(
            f"The optimizer of group {group!r} is a {type(optimizer).__name__}: wrap"
            " the GroupedOptimizer in it instead."
        )
    clipping = [name for name in _CLIPPING if getattr(optimizer, name, None)]
    if clipping or optimizer.gradient_transformers:
        raise ValueError(
            f"The optimizer of group {group!r} would change gradients by its own"
            f" {', '.join(clipping) or 'gradient_transformers'}: give that to the"
            " GroupedOptimizer instead."
        )
