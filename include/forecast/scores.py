"""How good a method's forecasts are on a fold: errors, CRPS, coverage; by athlete, with bootstrap over athletes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.forecaster import Forecaster
from include.forecast.horizon import Array
from include.forecast.intervals import crps
from include.forecast.rows import Rows

RESAMPLES = 2000
SMALLEST_SCORE = 0.05
"""ml/kg/min, half a step of a precise reading: a flat series makes persistence's score 0, and a skill against 0 means
nothing."""


@dataclass(frozen=True)
class Scores:
    """Scores of one method, a value per row: error = target - forecast (ml/kg/min)."""

    error: Array
    crps: Array
    inside_80: Array
    inside_90: Array
    width_90: Array

    def where(self, mask: npt.NDArray[Any]) -> "Scores":
        return Scores(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Interval:
    """A bootstrap's middle 95 % and standard deviation."""

    low: float
    high: float
    standard_deviation: float


def score(forecaster: Forecaster, method: str, rows: Rows) -> Scores:
    """The scores of a method on rows."""
    error = rows.change - forecaster.change(method, rows.features, rows.horizon_days)
    width = forecaster.half_width(method, rows.features, rows.horizon_days)
    return Scores(
        error=error,
        crps=crps(error, width),
        inside_80=(np.abs(error) <= width[:, -2] + 1e-9).astype(float),
        inside_90=(np.abs(error) <= width[:, -1] + 1e-9).astype(float),
        width_90=2.0 * width[:, -1],
    )


def by_athlete(value: Array, athlete: npt.NDArray[Any]) -> Array:
    """Mean of each athlete, in the order of their sorted names."""
    _, inverse, count = np.unique(athlete, return_inverse=True, return_counts=True)
    means: Array = np.bincount(inverse, weights=value) / count
    return means


def resample(athletes: int, seed: int) -> Array:
    """RESAMPLES draws of athletes with replacement, as shares (rows sum to 1)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    draws: Array = rng.multinomial(athletes, np.full(athletes, 1.0 / athletes), size=RESAMPLES) / athletes
    return draws


def skill(method: Array, reference: Array, shares: Array, root: bool = False) -> Array:
    """1 - score / reference for each row of shares, from athletes' mean scores; `root` for mean squared errors."""
    floor = SMALLEST_SCORE**2 if root else SMALLEST_SCORE
    ratio = np.maximum(shares @ method, floor) / np.maximum(shares @ reference, floor)
    gained: Array = 1.0 - (np.sqrt(ratio) if root else ratio)
    return gained


def interval(values: Array) -> Interval:
    """Of bootstrap values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), float(np.std(values)))
