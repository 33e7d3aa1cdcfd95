"""Times the GRW loss, forward and backward, against gathered permuted copies.

  python -m scripts.benchmark_grw_loss --frames=5,6,7,8,9

There are three forms. `literal` gathers all (T-1)! permuted copies, like the published
implementation. `1000 samples` gathers 1000 of them. `grw_loss` is ours, and exact.
Times are medians of repeats, interleaved in one process. Memory is the peak of a
process that runs only that form, minus the peak of one that only makes the input.
"""

import concurrent.futures
import math
import multiprocessing
import pathlib
import re
import statistics
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import flags

from grw_tf.common import programs
from grw_tf.losses import grw_loss
from grw_tf.random_walk import orders as orders_lib

_WINDOWS = flags.DEFINE_integer("windows", 160, "Windows in a batch.")
_CHANNELS = flags.DEFINE_integer("channels", 480, "Channels of an embedding.")
_FRAMES = flags.DEFINE_list("frames", list(range(5, 13)), "Frames of a window, T.")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Timed repeats of each form.")
_MEMORY_GIB = flags.DEFINE_float(
    "memory_gib", 16.0, "Forms that need more are skipped."
)

LITERAL, SAMPLES, OURS = "literal", "1000 samples", "grw_loss"
LEAST_SECONDS = 0.2
"""A repeat calls a fast form until this long has passed."""


def gathered_loss(z, orders, alpha=0.5):
    """Returns the loss of the published implementation, from permuted copies.

    Args:
        z: Embeddings [windows, T, K].
        orders: [orders, T], the true one first.
        alpha: Weight of the velocity term.
    """
    copies = tf.gather(z, orders, axis=1)
    v = copies[:, :, 1:] - copies[:, :, :-1]
    a = v[:, :, 1:] - v[:, :, :-1]
    log_densities = -0.5 * tf.reduce_sum(a * a, axis=(2, 3))
    true = tf.zeros(tf.shape(z)[:1], tf.int32)
    order = tf.nn.sparse_softmax_cross_entropy_with_logits(true, log_densities)
    velocity = 0.5 * tf.reduce_sum((z[:, 1:] - z[:, :-1]) ** 2, axis=(1, 2))
    return order + alpha * velocity


def gathered_gib(form, shape):
    """Estimates the GiB of a gathered form: up to six copies of what it gathers."""
    windows, frames, channels = shape
    count = 1000 if form == SAMPLES else math.factorial(frames - 1)
    return 6 * 4 * windows * count * frames * channels / 2**30


def forms_of(frames):
    """Lists the forms to compare at T = `frames`, the one to beat first."""
    return [LITERAL, OURS] if frames < 8 else [SAMPLES, OURS, LITERAL]


def make_input(shape):
    """Returns embeddings [windows, T, K] of steps of length one."""
    steps = np.random.default_rng(0).normal(size=shape, scale=shape[-1] ** -0.5)
    return tf.constant(np.cumsum(steps, axis=1), tf.float32)


def make_step(form, z):
    """Returns a function that computes loss and gradient."""
    frames = z.shape[1]
    if form == OURS:
        loss_of = grw_loss
    else:
        if form == LITERAL:
            orders = orders_lib.enumerate_orders(frames)
        else:
            others = orders_lib.sample_orders(frames, 999, seed=0)
            orders = np.concatenate([np.arange(frames)[None], others])
        orders = orders.astype("int32")

        def loss_of(z):
            return gathered_loss(z, orders)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = tf.reduce_mean(loss_of(z))
        return loss, tape.gradient(loss, z)

    return step


def in_new_process(function, *args):
    """Calls a function in a new process, since TensorFlow keeps its memory."""
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        return pool.submit(function, *args).result()


def peak_mib(form, shape):
    """Returns the peak memory of this process in MiB after two runs of a form."""
    z = make_input(shape)
    if form:
        step = make_step(form, z)
        for _ in range(2):
            step()
    # ru_maxrss of getrusage would include the memory of the parent.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def median_ms(forms, shape, repeats):
    """Returns the median milliseconds of a call, by form, with interleaved repeats."""
    z = make_input(shape)
    steps = {form: make_step(form, z) for form in forms}
    for step in steps.values():
        step()
    calls = {
        form: math.ceil(LEAST_SECONDS / _seconds(step, 1))
        for form, step in steps.items()
    }
    times = {form: [] for form in steps}
    for _ in range(repeats):
        for form, step in steps.items():
            times[form].append(_seconds(step, calls[form]))
    return {form: 1e3 * statistics.median(values) for form, values in times.items()}


def _seconds(step, calls):
    start = time.perf_counter()
    for _ in range(calls):
        step()[0].numpy()
    return (time.perf_counter() - start) / calls


def main(_: Sequence[str]) -> None:
    """Times and reports."""
    print(f"[windows, T, K] = [{_WINDOWS.value}, T, {_CHANNELS.value}]")
    print("Speed-up and % memory are against the first form of the same T.")
    print(" T  form              ms  speed-up  peak MiB  % memory")
    for frames in map(int, _FRAMES.value):
        shape = (_WINDOWS.value, frames, _CHANNELS.value)
        needs = {f: gathered_gib(f, shape) for f in forms_of(frames) if f != OURS}
        skipped = {f: gib for f, gib in needs.items() if gib > _MEMORY_GIB.value}
        run = [form for form in forms_of(frames) if form not in skipped]
        ms = in_new_process(median_ms, run, shape, _REPEATS.value)
        idle = in_new_process(peak_mib, None, shape)
        mib = {form: in_new_process(peak_mib, form, shape) - idle for form in run}
        for form in run:
            print(
                f"{frames:2}  {form:12}{ms[form]:8.1f}{ms[run[0]] / ms[form]:9.1f}x"
                f"{mib[form]:10.0f}{100 * mib[form] / mib[run[0]]:10.2f}",
                flush=True,
            )
        for form, gib in skipped.items():
            print(f"{frames:2}  {form:12} skipped, needs {gib:,.0f} GiB")


if __name__ == "__main__":
    programs.run(main)
