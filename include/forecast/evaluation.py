"""Methods side by side on rows that none of them has seen, by horizon bucket and by athlete."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from include.forecast.baselines import SIMPLE, Baseline
from include.forecast.coverage import Coverage, judge
from include.forecast.design import usual_load
from include.forecast.evidence import FEWEST_WINDOWS
from include.forecast.forecaster import Forecaster
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.intervals import independent_windows
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.own_record import ANSWERS, COMBINED, Records
from include.forecast.population import PLANNED
from include.forecast.resampling import Interval, by_athlete, interval, resample
from include.forecast.rows import Rows
from include.forecast.scores import Scores, score, skill

RIVALS = (PERSISTENCE, *SIMPLE)
"""What the combined forecast is compared with: persistence as it would be served instead, and simple baselines."""


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
    """1 - score of a method / score of its reference, with the interval of a bootstrap over athletes."""

    value: float
    interval: Interval
    by_reading: float
    """The same with every row counting the same."""


@dataclass(frozen=True)
class BucketResult:
    """`athletes` are in the order of `athlete_crps`; with no rows `methods` and `skills` are empty.

    Attributes:
        skills: the combined forecast's against persistence, by score: crps, rmse, mae.
        best_rival: the method with the least CRPS of those in RIVALS.
        against_best: the combined forecast's CRPS skill against it.
    """

    name: str
    rows: int
    windows: float
    athletes: tuple[str, ...]
    methods: dict[str, MethodResult]
    skills: dict[str, Skill]
    best_rival: str = PERSISTENCE
    against_best: Skill | None = None


def score_methods(
    forecaster: Forecaster, baselines: Mapping[str, Baseline], rows: Rows, records: Records
) -> dict[str, Scores]:
    """Scores of what may answer (COMBINED, and PERSISTENCE with bands of the same kind, both by each row's own record),
    of the forecaster alone, of PLANNED and of all baselines."""
    scores = {
        answer: score(
            forecaster.served(dict.fromkeys(BUCKETS, answer), rows.features, rows.horizon_days, records), rows.change
        )
        for answer in ANSWERS
    }
    scores |= {name: score(forecaster.predictive(name, rows), rows.change) for name in (FORECASTER, PLANNED)}
    return scores | {name: score(baseline.predictive(rows), rows.change) for name, baseline in baselines.items()}


def shuffled_load(forecaster: Forecaster, rows: Rows, seed: int) -> Scores:
    """Scores of PLANNED when each row is told the load that another row has ahead, over its own usual: a placebo."""
    usual = usual_load(rows.features)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
    others = (rows.load_ahead / usual)[order] * usual
    return score(forecaster.predictive(PLANNED, replace(rows, load_ahead=others)), rows.change)


def evaluate(scores: Mapping[str, Scores], rows: Rows, seed: int, method: str = COMBINED) -> list[BucketResult]:
    """The results of every bucket; skills are those of `method`."""
    bucket = bucket_index(rows.horizon_days)
    results = []
    for index, name in enumerate(BUCKETS):
        counted = (bucket == index) & _enough(rows, bucket == index)
        chosen = {other: theirs.where(counted) for other, theirs in scores.items()}
        results.append(_bucket(name, rows.where(counted), chosen, seed + index, method))
    return results


def _enough(rows: Rows, in_bucket: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    counted = []
    for athlete in np.unique(rows.athlete[in_bucket]):
        own = in_bucket & (rows.athlete == athlete)
        if independent_windows(rows.athlete[own], rows.origin_day[own], rows.horizon_days[own]) >= FEWEST_WINDOWS:
            counted.append(athlete)
    return np.isin(rows.athlete, counted)


def _bucket(name: str, rows: Rows, scores: dict[str, Scores], seed: int, method: str) -> BucketResult:
    athletes = tuple(str(name) for name in np.unique(rows.athlete))
    if not athletes:
        return BucketResult(name, 0, 0.0, (), {}, {})
    windows = independent_windows(rows.athlete, rows.origin_day, rows.horizon_days)
    methods = {other: _method(rows, theirs, windows) for other, theirs in scores.items()}
    best = min((rival for rival in RIVALS if rival in methods), key=lambda rival: methods[rival].crps)
    shares = resample(len(athletes), seed)
    return BucketResult(
        name,
        len(rows),
        windows,
        athletes,
        methods,
        compare(scores[method], scores[PERSISTENCE], rows, shares),
        best,
        compare(scores[method], scores[best], rows, shares)["crps"],
    )


def compare(method: Scores, reference: Scores, rows: Rows, shares: Array) -> dict[str, Skill]:
    """Skills of a method against another on the same rows, by score."""
    return {
        "crps": _skill(rows, method.crps, reference.crps, shares),
        "rmse": _skill(rows, method.error**2, reference.error**2, shares, root=True),
        "mae": _skill(rows, method.absolute_error, reference.absolute_error, shares),
    }


def _method(rows: Rows, scores: Scores, windows: float) -> MethodResult:
    def mean(value: Array) -> float:
        return float(by_athlete(value, rows.athlete).mean())

    return MethodResult(
        mae=mean(scores.absolute_error),
        rmse=math.sqrt(mean(scores.error**2)),
        bias=-mean(scores.error),
        crps=mean(scores.crps),
        coverage_80=mean(scores.inside_80),
        coverage_90=judge(by_athlete(scores.inside_90, rows.athlete), windows),
        width_90=mean(scores.width_90),
        athlete_crps=by_athlete(scores.crps, rows.athlete),
    )


def _skill(rows: Rows, method: Array, reference: Array, shares: Array, root: bool = False) -> Skill:
    ours, theirs = by_athlete(method, rows.athlete), by_athlete(reference, rows.athlete)
    equal = np.full((1, len(ours)), 1.0 / len(ours))
    return Skill(
        value=float(skill(ours, theirs, equal, root)[0]),
        interval=interval(skill(ours, theirs, shares, root)),
        by_reading=float(skill(np.array([method.mean()]), np.array([reference.mean()]), np.ones((1, 1)), root)[0]),
    )
