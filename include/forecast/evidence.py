"""Whether a forecast beats another for the athletes of a deployment: what a population and the deployment say together.

Each athlete gives one number, the logarithm of mean CRPS over mean CRPS of the rival, with the standard error that its
independent windows leave. A normal hierarchy ties them (Gelman et al., Bayesian Data Analysis, chapter 5): an athlete's
true ratio lies about the mean of its deployment, and that mean about the mean of the population that the project was
built with. Before any evidence the forecast is held to be no better.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import Array
from include.forecast.rows import Rows
from include.forecast.scores import SMALLEST_SCORE

FEWEST_WINDOWS = 3.0
"""Independent windows with which an athlete's ratio counts: two readings are no athlete's skill."""
USUAL_WINDOW_VARIANCE = 0.3
"""Of the difference of two relative scores in one window; counts as much as WORTH_WINDOWS of the athlete's own."""
WORTH_WINDOWS = 4.0
MOST_RATIO = 0.4
"""An athlete counts as no more than half better or worse: one impossible history must not decide for others."""
FEWEST_TO_HOLD = 5
"""Athletes of a deployment from which on the best and the worst are held to the others."""
MEAN_SPREAD = 0.15
"""Of a population's mean log ratio about 0, before any evidence."""
DEPLOYMENT_SPREAD = 0.01
"""How far a deployment's mean may lie from the population's: other watches, other ways to train."""
_BETWEEN = np.linspace(0.005, 0.25, 50)
_BETWEEN_SPREAD = 0.1
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Comparison:
    """Log ratios of CRPS (negative: better than the rival) and their standard errors, one of each an athlete."""

    ratio: Array
    error: Array
    windows: Array

    def to_json(self) -> list[dict[str, float]]:
        return [
            {
                "log_ratio": round(float(ratio), 4),
                "standard_error": round(float(error), 4),
                "windows": round(float(count), 1),
            }
            for ratio, error, count in zip(self.ratio, self.error, self.windows, strict=True)
        ]

    @staticmethod
    def from_json(document: list[Mapping[str, Any]]) -> "Comparison":
        names = ("log_ratio", "standard_error", "windows")
        return Comparison(*(np.array([entry[name] for entry in document], dtype=float) for name in names))


NO_COMPARISON = Comparison(np.zeros(0), np.zeros(0), np.zeros(0))


def compare_athletes(score: Array, rival: Array, rows: Rows) -> Comparison:
    """The comparison of two scores of the same rows (of one bucket); athletes with few windows are left out."""
    found = []
    for athlete in np.unique(rows.athlete):
        own = rows.athlete == athlete
        window = window_numbers(rows.where(own))
        count = int(window.max()) + 1
        if count < FEWEST_WINDOWS:
            continue
        found.append((*_ratio(score[own], rival[own], window, count), float(count)))
    return Comparison(*(np.array(column) for column in zip(*found, strict=True))) if found else NO_COMPARISON


def window_numbers(rows: Rows) -> npt.NDArray[np.intp]:
    """Numbers, from 0, of the windows of the median lag in which one athlete's origins lie."""
    lag = max(float(np.median(rows.horizon_days)), 1.0)
    day = rows.origin_day.astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.unique(day // lag, return_inverse=True)[1], dtype=np.intp)


def _ratio(score: Array, rival: Array, window: npt.NDArray[np.intp], count: int) -> tuple[float, float]:
    rows = np.bincount(window, minlength=count)
    means = [np.bincount(window, weights=values, minlength=count) / rows for values in (score, rival)]
    whole = [max(float(values.mean()), SMALLEST_SCORE) for values in (score, rival)]
    own = float(np.var(means[0] / whole[0] - means[1] / whole[1], ddof=1))
    variance = (WORTH_WINDOWS * USUAL_WINDOW_VARIANCE + (count - 1) * own) / (WORTH_WINDOWS + count - 1)
    ratio = float(np.clip(math.log(whole[0] / whole[1]), -MOST_RATIO, MOST_RATIO))
    return ratio, math.sqrt(variance / count)


@dataclass(frozen=True)
class Belief:
    """What is to be believed of a deployment's athletes.

    Attributes:
        mean, low, high: the mean log ratio and its central 95 %.
        no_better: probability that the forecast is no better than the rival on the average of athletes.
        much_worse: probability that it is worse by more than the margin for an athlete of the deployment (the mean over
            those who were compared; a new one's where none was).
    """

    mean: float
    low: float
    high: float
    no_better: float
    much_worse: float


def believe(population: Comparison, own: Comparison, margin: float) -> Belief:
    """The posterior of a deployment, the spread between athletes integrated over; `margin` is a share, 0.05 for 5 %.

    Among FEWEST_TO_HOLD athletes or more of the deployment the best and the worst count as the next to them do.
    """
    own = _without_extremes(own)
    beliefs = [_believe_with(between, population, own, math.log(1.0 + margin)) for between in _BETWEEN]
    log_weight = np.array([belief[0] for belief in beliefs]) - 0.5 * (_BETWEEN / _BETWEEN_SPREAD) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    means, deviations, worse = (np.array([belief[part] for belief in beliefs]) for part in (1, 2, 3))
    mean = float(weight @ means)
    deviation = math.sqrt(float(weight @ (deviations**2 + (means - mean) ** 2)))
    no_better = float(weight @ np.array([_NORMAL.cdf(m / d) for m, d in zip(means, deviations, strict=True)]))
    return Belief(mean, mean - 1.96 * deviation, mean + 1.96 * deviation, no_better, float(weight @ worse))


def _without_extremes(own: Comparison) -> Comparison:
    """One impossible history must not decide for others, and a plain mean of a few athletes would let it."""
    if len(own.ratio) < FEWEST_TO_HOLD:
        return own
    order = np.sort(own.ratio)
    return Comparison(np.clip(own.ratio, order[1], order[-2]), own.error, own.windows)


def _believe_with(between: float, population: Comparison, own: Comparison, limit: float) -> tuple[float, ...]:
    """Log evidence, mean and deviation of the deployment's mean, and the share of athletes beyond the limit."""
    learnt, mean, variance = _update(0.0, MEAN_SPREAD**2, population.ratio, population.error**2 + between**2)
    shown, mean, variance = _update(mean, variance + DEPLOYMENT_SPREAD**2, own.ratio, own.error**2 + between**2)
    if len(own.ratio):
        kept = between**2 / (between**2 + own.error**2)
        centre = kept * own.ratio + (1.0 - kept) * mean
        spread = np.sqrt(kept * own.error**2 + (1.0 - kept) ** 2 * variance)
        worse = float(np.mean([_NORMAL.cdf((c - limit) / s) for c, s in zip(centre, spread, strict=True)]))
    else:
        worse = _NORMAL.cdf((mean - limit) / math.sqrt(variance + between**2))
    return learnt + shown, mean, math.sqrt(variance), worse


def _update(mean: float, variance: float, seen: Array, noise: Array) -> tuple[float, float, float]:
    """Log evidence, and mean and variance after normal observations with these variances."""
    if not len(seen):
        return 0.0, mean, variance
    precision = 1.0 / variance + float((1.0 / noise).sum())
    after = (mean / variance + float((seen / noise).sum())) / precision
    log = -0.5 * float(np.log(2 * math.pi * noise).sum() + (seen**2 / noise).sum())
    log += -0.5 * (math.log(variance) + mean**2 / variance) + 0.5 * (after**2 * precision - math.log(precision))
    return log, after, 1.0 / precision
