"""Split-conformal bands: out-of-fold errors, by horizon bucket, in units of the athlete's own scale or in ml/kg/min.

A later horizon never has a narrower band than an earlier one.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.distribution import LEVELS
from include.forecast.horizon import BUCKETS, LAST_DAYS, Array, bucket_index, growth
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import USUAL_VOLATILITY

FEWEST_WINDOWS = 20.0
"""Independent windows (stretches of time as long as the lag) that a bucket needs; with fewer its bands are a prior."""


@dataclass(frozen=True)
class Bands:
    """Half widths by bucket (rows) and level (columns).

    Attributes:
        is_scaled: the unit is volatility × growth of each forecast; else it is ml/kg/min, the same for all.
        is_prior: by bucket, whether there were too few errors to calibrate on.
        windows: by bucket, how many independent windows there were.
    """

    half_widths: Array
    is_prior: tuple[bool, ...]
    windows: tuple[float, ...]
    is_scaled: bool = True

    def half_width(self, horizon_days: Array, reading_age_days: Array, volatility: Array) -> Array:
        """Half widths (ml/kg/min), a row per forecast and a column per level."""
        bucket = bucket_index(horizon_days)
        widest = np.zeros((len(horizon_days), self.half_widths.shape[1]))
        for index, last_day in enumerate(LAST_DAYS):
            spread = self.half_widths[index][None, :]
            if self.is_scaled:
                spread = growth(np.minimum(horizon_days, last_day), reading_age_days)[:, None] * spread
            widest = np.where((bucket >= index)[:, None], np.maximum(widest, spread), widest)
        result: Array = widest * volatility[:, None] if self.is_scaled else widest
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
        """Bands in the athlete's own scale: the only ones that are served."""
        tables = [document[name] for name in BUCKETS]
        return Bands(
            np.array([table["half_widths"] for table in tables], dtype=float),
            tuple(bool(table["is_prior"]) for table in tables),
            tuple(float(table["windows"]) for table in tables),
        )


def prior_bands(is_scaled: bool = True) -> Bands:
    """Bands of a normal distribution with the athlete's pooled volatility, for lack of errors to calibrate on."""
    normal = NormalDist()
    width = np.array([normal.inv_cdf((1.0 + level) / 2.0) for level in LEVELS])
    table = np.tile(width if is_scaled else width * USUAL_VOLATILITY, (len(BUCKETS), 1))
    return Bands(table, (True,) * len(BUCKETS), (0.0,) * len(BUCKETS), is_scaled)


def calibrate(
    error: Array, rows: Rows, scale: Array | None, known: Bands | None = None, athletes: float = 0.0
) -> Bands:
    """Bands from out-of-fold errors (target - forecast), every athlete counting the same.

    Args:
        scale: volatility × growth of each row; None for bands in ml/kg/min.
        known: bands of so many other athletes: they count as many, and alone where there are too few errors here.
    """
    start = known if known is not None and athletes > 0 else prior_bands(scale is not None)
    half_widths, is_prior, counts = start.half_widths.copy(), [], []
    bucket = bucket_index(rows.horizon_days)
    score = np.abs(error) if scale is None else np.abs(error) / scale
    for index in range(len(BUCKETS)):
        in_bucket = bucket == index
        windows = independent_windows(rows.athlete[in_bucket], rows.origin_day[in_bucket], rows.horizon_days[in_bucket])
        is_enough = windows >= FEWEST_WINDOWS
        counts.append(windows + start.windows[index])
        is_prior.append(not is_enough and start.is_prior[index])
        if is_enough:
            weight = athlete_weights(rows.athlete[in_bucket], rows.origin_day[in_bucket])
            others = 0.0 if start.is_prior[index] else athletes
            share = others / (others + float(weight.sum()))
            half_widths[index] *= share
            half_widths[index] += (1.0 - share) * _quantiles(score[in_bucket], weight, windows)
    return Bands(half_widths, tuple(is_prior), tuple(counts), scale is not None)


def independent_windows(
    athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64], horizon_days: Array
) -> float:
    """How many windows of the median lag do not overlap, summed over athletes: what the rows are worth."""
    if not len(athlete):
        return 0.0
    lag = max(float(np.median(horizon_days)), 1.0)
    block = (origin_day.astype("datetime64[D]").astype(np.int64) // lag).astype(np.int64)
    _, number = np.unique(athlete, return_inverse=True)
    return float(len(np.unique(number * (block.max() - block.min() + 1) + block - block.min())))


def _quantiles(score: Array, weight: Array, windows: float) -> Array:
    """Weighted quantiles at LEVELS × (1 + 1/windows): split conformal's correction for a finite sample."""
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    level = np.minimum(LEVELS * (1.0 + 1.0 / windows), 1.0)
    result: Array = score[order][np.minimum(np.searchsorted(reached, level - 1e-12), len(score) - 1)]
    return result
