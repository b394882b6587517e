"""The core of the forecaster: a ridge regression, in closed form, that counts every athlete the same."""

import numpy as np

from include.forecast.horizon import Array

PRIOR_SPREAD = 0.2
"""How far a coefficient is expected to be from its prior, on inputs and target of size about 1."""
ATHLETE_SPREAD = 0.3
"""How much the coefficient of one athlete differs from that of another."""
_INPUT_VARIANCE = 0.3


def penalty(windows: float, athletes: int) -> float:
    """What evidence of so many independent windows, from so many athletes, should be held against.

    The ridge of a normal prior: noise / (prior variance × windows), and what one athlete tells of others.
    """
    noise = 1.0 / (PRIOR_SPREAD**2 * max(windows, 1.0))
    between = _INPUT_VARIANCE * ATHLETE_SPREAD**2 / (PRIOR_SPREAD**2 * max(athletes, 1))
    return noise + between


def solve(inputs: Array, target: Array, weight: Array, ridge: float, prior: Array | None = None) -> Array:
    """Coefficients that minimise the weighted mean squared error + ridge × their squared distance from the prior.

    No intercept. The prior is 0 where none is given; without rows, or where all weights are 0, the prior is returned.
    """
    expected = np.zeros(inputs.shape[1]) if prior is None else prior
    total = float(weight.sum())
    if total <= 0:
        return expected
    weighted: Array = inputs * (weight / total)[:, None]
    gram: Array = weighted.T @ inputs + ridge * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, weighted.T @ target + ridge * expected), dtype=np.float64)
