"""The sum over all orders as a dynamic program, exact beyond enumeration.

An acceleration involves three consecutive frames, so an order's log density is a sum of
terms that each depend on the last two frames before the next one. As in Held and Karp's
program (1962), orders that have visited the same set of frames and share their last
two continue alike: the sums are kept for each (visited set, last two frames), which
takes O(T^3 2^T) steps instead of O(T!).

All densities are relative to the true order's, prefix by prefix, and the true order is
left out of the sums: what is summed stays accurate where it is tiny, as it is for
smooth embeddings.
"""

import functools
import itertools
from types import ModuleType
from typing import Any

import numpy as np

from grw_tf.random_walk.enumeration import NEVER


@functools.cache
def _triples(frames):
    """Returns (forms [T*T, triples], index [T, T, T]) of the accelerations.

    Column index[i, j, k] of `forms` gives -1/2 |z_k - 2 z_j + z_i|^2 from the Gram
    matrix.
    """
    eye = np.eye(frames)
    columns = []
    index = np.full((frames, frames, frames), -1)
    for i, j, k in itertools.permutations(range(frames), 3):
        if 0 not in (j, k):
            difference = eye[k] - 2 * eye[j] + eye[i]
            index[i, j, k] = len(columns)
            columns.append(-0.5 * np.outer(difference, difference).reshape(-1))
    return np.stack(columns, axis=1), index


def _states(frames, visited):
    """Lists (set, last but one, last) with `visited` frames, the true prefix first."""
    states = [
        (subset, i, j)
        for subset in itertools.combinations(range(1, frames), visited)
        for i, j in itertools.permutations(subset, 2)
    ]
    true_prefix = (tuple(range(1, visited + 1)), visited - 1, visited)
    states.remove(true_prefix)
    return [true_prefix, *states]


@functools.cache
def _steps(frames):
    """Returns, for each step, (predecessors, triples) [states, visited - 2].

    Predecessors index the states of the step before, with one more row at the end: the
    true prefix's state without the true prefix itself.
    """
    _, index = _triples(frames)
    steps = []
    before = _states(frames, 2)
    for visited in range(3, frames):
        row = {state: place for place, state in enumerate(before)}
        states = _states(frames, visited)
        predecessors = np.empty((len(states), visited - 2), "int32")
        triples = np.empty_like(predecessors)
        for place, (subset, j, k) in enumerate(states):
            rest = tuple(frame for frame in subset if frame != k)
            for column, i in enumerate(frame for frame in rest if frame != j):
                predecessors[place, column] = row[rest, i, j]
                triples[place, column] = index[i, j, k]
        true_row = predecessors[0]
        true_row[true_row == 0] = len(before)
        steps.append((predecessors, triples))
        before = states
    return steps


def log_ratio_of_others(ops: ModuleType, gram: Any, best_only: bool = False) -> Any:
    """Returns log sum_pi f(Z_pi) / f(Z) [windows] over all but the true order.

    Args:
        ops: The array library.
        gram: Gram matrices [windows, T, T], T >= 4.
        best_only: Take the likeliest order instead of the sum over orders.
    """
    frames = gram.shape[-1]
    forms, index = _triples(frames)
    forms = ops.convert_to_tensor(forms.T, dtype=gram.dtype)
    flat = ops.reshape(gram, (-1, frames * frames))
    # Windows come last: a gather then moves whole rows.
    terms = ops.matmul(forms, ops.transpose(flat))
    true_terms = [terms[index[t, t + 1, t + 2]] for t in range(frames - 2)]
    if best_only:
        join, join_with_true = ops.max, lambda ratio: ops.maximum(ratio, 0.0)
    else:
        join, join_with_true = ops.logsumexp, ops.softplus

    pairs = [index[0, i, j] for _, i, j in _states(frames, 2)]
    ratios = ops.take(terms, np.array(pairs[1:], "int32"), axis=0) - true_terms[0]
    no_order = ops.zeros_like(ratios[:1]) + NEVER
    ratios = ops.concatenate([no_order, ratios], axis=0)
    for (predecessors, triples), true_term in zip(
        _steps(frames), true_terms[1:], strict=True
    ):
        without_true = ratios[:1]
        with_true = join_with_true(without_true)
        ratios = ops.concatenate([with_true, ratios[1:], without_true], axis=0)
        longer = ops.take(ratios, predecessors, axis=0)
        longer = longer + ops.take(terms, triples, axis=0)
        ratios = join(longer, axis=1) - true_term
    return join(ratios, axis=0)
