"""Split-conformal bands: residuals of the calibration fold, in units of volatility × growth, per bucket.

The predictive distribution is symmetric about the forecast and its central interval of every level is the conformal
band of that level; CRPS is that of this distribution. A later horizon never has a narrower band than an earlier one.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import BUCKETS, MAX_LAG_DAYS, Array, bucket_index, growth
from include.forecast.rows import athlete_weights

LEVELS: Array = np.append(np.arange(0.5, 50) / 50, [0.8, 0.9])
"""Levels of the central intervals: 50 evenly spaced ones that make up the distribution, then the two bands served."""
FEWEST_WINDOWS = 20.0
"""Independent windows (stretches of time as long as the lag) that a bucket needs; with fewer its bands are a prior."""


@dataclass(frozen=True)
class Bands:
    """Half widths by bucket and level, in units of volatility × growth; `is_prior` where calibration was too small."""

    half_widths: Array
    is_prior: tuple[bool, ...]
    windows: tuple[float, ...]

    def half_width(self, horizon_days: Array, reading_age_days: Array, volatility: Array) -> Array:
        """Half widths (ml/kg/min), a row per forecast and a column per level."""
        bucket = bucket_index(horizon_days)
        widest = np.zeros((len(horizon_days), self.half_widths.shape[1]))
        for index, (_, end) in enumerate(BUCKETS.values()):
            end_day = MAX_LAG_DAYS if index == len(BUCKETS) - 1 else end
            spread = growth(np.minimum(horizon_days, end_day), reading_age_days)[:, None] * self.half_widths[index]
            widest = np.where((bucket >= index)[:, None], np.maximum(widest, spread), widest)
        result: Array = widest * volatility[:, None]
        return result

    def to_json(self) -> dict[str, Any]:
        return {
            name: {
                "half_widths": [round(float(width), 6) for width in self.half_widths[index]],
                "is_prior": self.is_prior[index],
                "windows": round(self.windows[index], 1),
            }
            for index, name in enumerate(BUCKETS)
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Bands":
        tables = [document[name] for name in BUCKETS]
        return Bands(
            np.array([table["half_widths"] for table in tables], dtype=float),
            tuple(bool(table["is_prior"]) for table in tables),
            tuple(float(table["windows"]) for table in tables),
        )


def prior_bands() -> Bands:
    """Bands of a normal distribution with the athlete's pooled volatility, for lack of calibration rows."""
    normal = NormalDist()
    width = [normal.inv_cdf((1.0 + level) / 2.0) for level in LEVELS]
    return Bands(np.tile(np.array(width), (len(BUCKETS), 1)), (True,) * len(BUCKETS), (0.0,) * len(BUCKETS))


def calibrate(
    error: Array, horizon_days: Array, scale: Array, athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64]
) -> Bands:
    """Bands from the errors (target - forecast) of the calibration fold; `scale` = volatility × growth of each row."""
    prior = prior_bands()
    half_widths, is_prior, counts = prior.half_widths.copy(), [], []
    bucket = bucket_index(horizon_days)
    for index in range(len(BUCKETS)):
        mine = bucket == index
        windows = independent_windows(athlete[mine], origin_day[mine], horizon_days[mine])
        counts.append(windows)
        is_prior.append(windows < FEWEST_WINDOWS)
        if not is_prior[-1]:
            score = np.abs(error[mine]) / scale[mine]
            half_widths[index] = _quantiles(score, athlete_weights(athlete[mine]), windows)
    return Bands(half_widths, tuple(is_prior), tuple(counts))


def independent_windows(
    athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64], horizon_days: Array
) -> float:
    """How many windows of the median lag do not overlap, summed over athletes: what the rows are worth."""
    total = 0.0
    for one in np.unique(athlete):
        mine = athlete == one
        lag = max(float(np.median(horizon_days[mine])), 1.0)
        blocks = np.unique((origin_day[mine].astype("datetime64[D]").astype(np.int64) // lag).astype(np.int64))
        total += len(blocks)
    return total


def _quantiles(score: Array, weight: Array, windows: float) -> Array:
    """Weighted quantiles at LEVELS × (1 + 1/windows): split conformal's correction for a finite sample."""
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    level = np.minimum(LEVELS * (1.0 + 1.0 / windows), 1.0)
    result: Array = score[order][np.minimum(np.searchsorted(reached, level - 1e-12), len(score) - 1)]
    return result


def crps(error: Array, half_width: Array) -> Array:
    """Continuous ranked probability score of each forecast, from the evenly spaced levels of `half_width`.

    2 × the mean pinball loss over the quantiles ±half width, which are the quantiles (1 ± level) / 2.
    """
    level, width = LEVELS[:-2], half_width[:, :-2]
    upper = error[:, None] - width
    lower = error[:, None] + width
    high, low = (1.0 + level) / 2.0, (1.0 - level) / 2.0
    loss = np.maximum(high * upper, (high - 1.0) * upper) + np.maximum(low * lower, (low - 1.0) * lower)
    score: Array = loss.mean(axis=1)
    return score
