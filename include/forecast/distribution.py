"""The predictive distribution of a change: a mean, conformal quantiles about it, and the watch's whole numbers.

Its quantile at (1 ± level) / 2 is mean ± half width of that level, for 50 evenly spaced levels: 100 equally likely
changes x₁ ≤ … ≤ x₁₀₀. Where the last reading is a whole number the next will be one too, so each xₖ is rounded to the
nearest whole number; the bands that are shown are those before rounding. The score of a reading y is the CRPS of these
100 changes, exactly: mean |xₖ - y| - ½ mean |xⱼ - xₖ|.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import Array

LEVELS: Array = np.append(np.arange(0.5, 50) / 50, [0.8, 0.9])
"""Levels of the central intervals: 50 evenly spaced ones that make up the distribution, then the two bands served."""
_ROWS_AT_ONCE = 4_000
"""Their 100 changes each fit into a processor's cache: many more take twice as long."""


@dataclass(frozen=True)
class Predictive:
    """Distributions of many rows; `half_width` has a column per level of LEVELS (ml/kg/min)."""

    mean: Array
    half_width: Array
    is_whole: npt.NDArray[np.bool_]
    """Which rows are rounded to whole numbers."""


def changes(predictive: Predictive, rows: slice = slice(None)) -> Array:
    """The 100 equally likely changes of each row, ascending."""
    width = predictive.half_width[rows, :-2]
    likely: Array = predictive.mean[rows, None] + np.hstack([-width[:, ::-1], width])
    whole = predictive.is_whole[rows]
    likely[whole] = np.round(likely[whole])
    return likely


def median_error(predictive: Predictive, change: Array) -> Array:
    """What came, less the median."""
    median = np.where(predictive.is_whole, np.round(predictive.mean), predictive.mean)
    error: Array = change - median
    return error


def crps(predictive: Predictive, change: Array) -> Array:
    """Continuous ranked probability score of each row."""
    count = 2 * (len(LEVELS) - 2)
    rank = (2.0 * np.arange(1, count + 1) - count - 1.0) / count**2
    scores = np.empty(len(change))
    for start in range(0, len(change), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        likely = changes(predictive, rows)
        scores[rows] = np.abs(likely - change[rows, None]).mean(axis=1) - likely @ rank
    return scores
