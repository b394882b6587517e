"""A forecaster against persistence on the test fold, by horizon bucket and by athlete."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from include.forecast.coverage import Coverage, judge
from include.forecast.forecaster import FORECASTER, PERSISTENCE, Forecaster
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.intervals import independent_windows
from include.forecast.rows import Rows
from include.forecast.scores import Interval, Scores, by_athlete, interval, resample, score, skill

METHODS = (PERSISTENCE, FORECASTER)
FEWEST_WINDOWS = 3.0
"""Independent windows with which an athlete counts in a bucket: two readings are no athlete's skill."""


@dataclass(frozen=True)
class MethodResult:
    """One method in one bucket; every athlete counts the same (ml/kg/min)."""

    mae: float
    rmse: float
    bias: float
    crps: float
    coverage_80: float
    coverage_90: Coverage
    width_90: float
    athlete_crps: Array


@dataclass(frozen=True)
class Skill:
    """1 - score of the forecaster / score of persistence, with the interval of a bootstrap over athletes."""

    value: float
    interval: Interval
    by_reading: float
    """The same with every row counting the same."""


@dataclass(frozen=True)
class BucketResult:
    """`athletes` are in the order of `athlete_crps`; with no rows `methods` and `skills` are empty."""

    name: str
    rows: int
    windows: float
    athletes: tuple[str, ...]
    methods: dict[str, MethodResult]
    skills: dict[str, Skill]
    """By score: crps, rmse, mae."""


def evaluate(forecaster: Forecaster, test: Rows, seed: int) -> list[BucketResult]:
    """The results of every bucket."""
    scores = {method: score(forecaster, method, test) for method in METHODS}
    bucket = bucket_index(test.horizon_days)
    results = []
    for index, name in enumerate(BUCKETS):
        mine = (bucket == index) & _enough(test, bucket == index)
        chosen = {method: one.where(mine) for method, one in scores.items()}
        results.append(_bucket(name, test.where(mine), chosen, seed + index))
    return results


def _enough(rows: Rows, in_bucket: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    counted = []
    for athlete in np.unique(rows.athlete[in_bucket]):
        own = rows.where(in_bucket & (rows.athlete == athlete))
        if independent_windows(own.athlete, own.origin_day, own.horizon_days) >= FEWEST_WINDOWS:
            counted.append(athlete)
    return np.isin(rows.athlete, counted)


def _bucket(name: str, rows: Rows, scores: dict[str, Scores], seed: int) -> BucketResult:
    athletes = tuple(str(one) for one in np.unique(rows.athlete))
    if not athletes:
        return BucketResult(name, 0, 0.0, (), {}, {})
    windows = independent_windows(rows.athlete, rows.origin_day, rows.horizon_days)
    methods = {method: _method(rows, one, windows) for method, one in scores.items()}
    shares = resample(len(athletes), seed)
    forecaster, persistence = scores[FORECASTER], scores[PERSISTENCE]
    skills = {
        "crps": _skill(rows, forecaster.crps, persistence.crps, shares),
        "rmse": _skill(rows, forecaster.error**2, persistence.error**2, shares, root=True),
        "mae": _skill(rows, np.abs(forecaster.error), np.abs(persistence.error), shares),
    }
    return BucketResult(name, len(rows), windows, athletes, methods, skills)


def _method(rows: Rows, scores: Scores, windows: float) -> MethodResult:
    def mean(value: Array) -> float:
        return float(by_athlete(value, rows.athlete).mean())

    return MethodResult(
        mae=mean(np.abs(scores.error)),
        rmse=math.sqrt(mean(scores.error**2)),
        bias=-mean(scores.error),
        crps=mean(scores.crps),
        coverage_80=mean(scores.inside_80),
        coverage_90=judge(by_athlete(scores.inside_90, rows.athlete), windows),
        width_90=mean(scores.width_90),
        athlete_crps=by_athlete(scores.crps, rows.athlete),
    )


def _skill(rows: Rows, method: Array, reference: Array, shares: Array, root: bool = False) -> Skill:
    mine, theirs = by_athlete(method, rows.athlete), by_athlete(reference, rows.athlete)
    equal = np.full((1, len(mine)), 1.0 / len(mine))
    return Skill(
        value=float(skill(mine, theirs, equal, root)[0]),
        interval=interval(skill(mine, theirs, shares, root)),
        by_reading=float(skill(np.array([method.mean()]), np.array([reference.mean()]), np.ones((1, 1)), root)[0]),
    )
