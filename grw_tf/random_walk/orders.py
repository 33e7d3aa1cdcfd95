"""Orders of the frames of a window.

An order is a permutation pi of frames 0..T-1 that keeps frame 0 in place; row t of
`orders` says which frame stands at place t.
"""

import functools
import itertools
import math
import numbers

import numpy as np

MAX_ENUMERATED = 7
MAX_EXACT = 12


def choose_method(frames: int, orders: str, max_orders: int) -> str:
    """Returns how to sum over the orders of `frames` frames.

    Args:
        frames: T, the frames of a window.
        orders: "auto" (exact up to T = 12, sampled beyond), "exact" or "sampled".
        max_orders: How many orders to sample, the true one included.

    Returns:
        "enumerated", "dynamic" or "sampled".

    Raises:
        ValueError: For an unknown `orders`, T < 3, max_orders < 2, or exactness out of
            reach.
    """
    if orders not in ("auto", "exact", "sampled"):
        raise ValueError(
            f"orders must be 'auto', 'exact' or 'sampled', got {orders!r}."
        )
    if not isinstance(frames, numbers.Integral):
        raise ValueError(f"A GRW window is a whole number of frames, got {frames!r}.")
    if frames < 3:
        raise ValueError(
            "A GRW window needs at least 3 frames (an acceleration takes three), got"
            f" T={frames}."
        )
    if max_orders < 2:
        raise ValueError(
            "max_orders counts the true order and at least one other, got"
            f" max_orders={max_orders}."
        )
    if orders == "exact" and frames > MAX_EXACT:
        others = frames - 1
        sums = others * (others - 1) * (others - 2) * 2 ** (others - 3)
        raise ValueError(
            f"orders='exact' reaches T={MAX_EXACT}, got T={frames}: its"
            f" {math.factorial(others):.1e} orders would still cost {sums:.1e} partial"
            f" sums, {sums * 4 / 2**20:,.0f} MiB for every window. Use"
            " orders='sampled' or a smaller window."
        )
    if orders == "sampled":
        few = math.factorial(frames - 1) <= max_orders
        return "enumerated" if few else "sampled"
    if frames <= MAX_ENUMERATED:
        return "enumerated"
    return "dynamic" if frames <= MAX_EXACT else "sampled"


@functools.cache
def enumerate_orders(frames: int) -> np.ndarray:
    """Returns all orders [(T-1)!, T], the true one first."""
    rest = np.array(list(itertools.permutations(range(1, frames))))
    return np.insert(rest, 0, 0, axis=1)


def sample_orders(frames: int, count: int, seed: int) -> np.ndarray:
    """Returns `count` random orders [count, T], drawn with replacement."""
    draws = np.random.default_rng(seed).random((count, frames - 1))
    return np.insert(np.argsort(draws, axis=1) + 1, 0, 0, axis=1)


def velocity_form(frames: int) -> np.ndarray:
    """Returns Q [T, T] with sum_t |v_t|^2 = <Q, Z Z^T> for frames in their order."""
    return _difference_form(frames, 1)


def acceleration_form(frames: int) -> np.ndarray:
    """Returns Q [T, T] with sum_t |a_t|^2 = <Q, Z Z^T> for frames in their order."""
    return _difference_form(frames, 2)


def _difference_form(frames, times):
    differences = np.diff(np.eye(frames), n=times, axis=0)
    return differences.T @ differences
