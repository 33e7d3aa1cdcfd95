"""The GRW loss in numpy, as its formula reads."""

import numpy as np


def log_densities(z, orders):
    """Returns log f of each window [windows, T, K] in each order [orders, T]."""
    accelerations = np.diff(z[:, orders], n=2, axis=2)
    return -0.5 * (accelerations**2).sum(axis=(2, 3))


def literal_loss(z, orders, alpha=0.5):
    """The published form, orders[0] the true one."""
    log_f = log_densities(z, orders)
    velocity = 0.5 * (np.diff(z, axis=1) ** 2).sum(axis=(1, 2))
    largest = log_f.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.exp(log_f - largest).sum(axis=1))
    return log_sum - log_f[:, 0] + alpha * velocity
