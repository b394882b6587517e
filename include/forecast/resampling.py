"""Means of athletes and draws of athletes: rows of one athlete are no independent evidence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import Array

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A bootstrap's middle 95 % and standard deviation."""

    low: float
    high: float
    standard_deviation: float


def by_athlete(value: Array, athlete: npt.NDArray[Any]) -> Array:
    """Mean of each athlete (or of any other cluster), in the order of their sorted names."""
    _, inverse, count = np.unique(athlete, return_inverse=True, return_counts=True)
    means: Array = np.bincount(inverse, weights=value) / count
    return means


def resample(athletes: int, seed: int) -> Array:
    """RESAMPLES draws of athletes with replacement, as shares (rows sum to 1)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    draws: Array = rng.multinomial(athletes, np.full(athletes, 1.0 / athletes), size=RESAMPLES) / athletes
    return draws


def interval(values: Array) -> Interval:
    """Of bootstrap values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), float(np.std(values)))
