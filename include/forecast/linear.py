"""The core of the forecaster: a ridge regression, in closed form, that counts every athlete the same."""

import numpy as np

from include.forecast.horizon import Array

_INPUT_VARIANCE = 0.3
"""Of an input, about: they are made to be of size 1 at most."""


def penalty(windows: float, athletes: float, spread: Array, differs: Array) -> Array:
    """What evidence of so many independent windows, from so many athletes, should be held against, by input.

    The ridge of a normal prior of this spread: noise / (prior variance × windows), and what one athlete, whose own
    coefficient differs by so much, tells of others.
    """
    noise = 1.0 / (spread**2 * max(windows, 1.0))
    between = _INPUT_VARIANCE * differs**2 / (spread**2 * max(athletes, 1.0))
    ridge: Array = noise + between
    return ridge


def solve(inputs: Array, target: Array, weight: Array, ridge: Array | float, prior: Array | None = None) -> Array:
    """Coefficients that minimise the weighted mean squared error + ridge × their squared distance from the prior.

    No intercept. The prior is 0 where none is given; without rows, or where all weights are 0, the prior is returned.
    """
    expected = np.zeros(inputs.shape[1]) if prior is None else prior
    total = float(weight.sum())
    if total <= 0:
        return expected
    gram = gram_matrix(inputs, weight)
    held = np.broadcast_to(np.asarray(ridge, dtype=float), expected.shape)
    product = (inputs * (weight / total)[:, None]).T @ target
    return np.asarray(np.linalg.solve(gram + np.diag(held), product + held * expected), dtype=np.float64)


def gram_matrix(inputs: Array, weight: Array) -> Array:
    """The weighted mean of the inputs' products."""
    gram: Array = (inputs * (weight / weight.sum())[:, None]).T @ inputs
    return gram


def left_spread(inputs: Array, weight: Array, ridge: Array, spread: Array) -> Array:
    """How uncertain the coefficients of `solve` are (standard deviations), where the prior had this spread."""
    if weight.sum() <= 0:
        return spread
    covariance = np.linalg.inv(gram_matrix(inputs, weight) + np.diag(ridge)) * (ridge * spread**2)[None, :]
    left: Array = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return left
