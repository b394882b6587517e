"""Makes the population that ships with the project: what athletes have in common, how they differ, and the evidence.

Everything that is evidence is leave-one-out: an athlete's forecasts are made by a forecaster that learnt from the
others alone, combined by that athlete's own record as of each day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.forecast.design import INPUTS, design_matrix
from include.forecast.evaluation import score_methods, shuffled_load
from include.forecast.evidence import Comparison, compare_athletes
from include.forecast.forecaster import Forecaster
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.linear import left_spread
from include.forecast.methods import FORECASTER, METHODS, PERSISTENCE
from include.forecast.model import MAX_SCALED_CHANGE, Prior, ridge_of
from include.forecast.own_record import COMBINED, Records, follow, follow_all
from include.forecast.population import PLANNED, UNLEARNT, Population
from include.forecast.resampling import by_athlete
from include.forecast.rows import Rows, athlete_weights, concatenate, windows_by_athlete
from include.forecast.scores import Scores
from include.forecast.scores import concatenate as concatenate_scores
from include.forecast.training import train_forecaster
from include.forecast.volatility import DEVIATION_OF_MEAN_ABSOLUTE
from include.forecast.what_if import LATE_DAYS

FIRST_WEIGHTS_WORTH = 8.0
"""Athletes that the first weights of methods count as, against those of the study."""
_ROUNDS = 40
_DIFFERENCE_WORTH = 2.0
"""Athletes that the expected difference of coefficients counts as."""


@dataclass(frozen=True)
class _LeftOut:
    """Every athlete's rows, scored by forecasters that learnt from the others; and the last record of each."""

    rows: Rows
    scores: dict[str, Scores]
    shuffled: Scores
    last_weights: Array


def study(rows: Rows, seed: int, about: Mapping[str, Any]) -> Population:
    """The population of the rows' athletes.

    Raises:
        ValueError: fewer than two athletes: nothing can be left out.
    """
    athletes = np.unique(rows.athlete)
    if len(athletes) < 2:
        raise ValueError("a population takes two athletes or more")
    forecaster = train_forecaster(rows, seed, {}, UNLEARNT, may_have_trees=False)
    left_out = _leave_out(rows, seed)
    weight = athlete_weights(rows.athlete, rows.origin_day)
    inputs = design_matrix(rows.features, rows.horizon_days, forecaster.volatility(rows.features))
    prior = Prior(UNLEARNT.expected, UNLEARNT.spread, UNLEARNT.differs)
    return Population(
        athletes=float(weight.sum()),
        expected=forecaster.model.coefficients,
        spread=left_spread(inputs, weight, ridge_of(rows.athlete, rows.origin_day, prior), prior.spread),
        differs=_differences(rows, inputs, forecaster),
        usual_volatility=forecaster.pooling.usual,
        bands=forecaster.bands,
        start=_start(left_out.last_weights),
        effect=forecaster.effect,
        served=_by_bucket(left_out),
        what_if=_late(left_out, left_out.scores[FORECASTER]),
        placebo=_late(left_out, left_out.shuffled),
        coverage=_coverage(left_out),
        about={**about, "rows": len(rows), **_how_athletes_differ(rows, left_out)},
    )


def _leave_out(rows: Rows, seed: int) -> _LeftOut:
    parts, scores, shuffled, weights = [], [], [], []
    for athlete in np.unique(rows.athlete):
        own = rows.where(rows.athlete == athlete)
        forecaster = train_forecaster(rows.where(rows.athlete != athlete), seed, {}, UNLEARNT, may_have_trees=False)
        records = follow_all(own, own, forecaster)
        parts.append(own)
        scores.append(score_methods(forecaster, {}, own, records))
        shuffled.append(shuffled_load(forecaster, own, seed))
        weights.append(_last(own, forecaster).weights[0])
    together = {name: concatenate_scores([each[name] for each in scores]) for name in scores[0]}
    return _LeftOut(concatenate(parts), together, concatenate_scores(shuffled), np.array(weights))


def _last(rows: Rows, forecaster: Forecaster) -> Records:
    day = rows.target_day.max().astype("datetime64[D]").astype(np.int64) + 7
    return follow(rows, forecaster, np.array([day]))


def _start(last_weights: Array) -> Array:
    """A step of expectation maximisation for the shares of a mixture, held to the first weights."""
    total = FIRST_WEIGHTS_WORTH + len(last_weights)
    start = (FIRST_WEIGHTS_WORTH * UNLEARNT.start + last_weights.sum(axis=0)) / total
    shares: Array = start / start.sum(axis=1, keepdims=True)
    return shares


def _by_bucket(left_out: _LeftOut) -> dict[str, Comparison]:
    bucket, found = bucket_index(left_out.rows.horizon_days), {}
    for index, name in enumerate(BUCKETS):
        in_bucket = bucket == index
        ours, theirs = (left_out.scores[answer].crps[in_bucket] for answer in (COMBINED, PERSISTENCE))
        found[name] = compare_athletes(ours, theirs, left_out.rows.where(in_bucket))
    return found


def _late(left_out: _LeftOut, rival: Scores) -> Comparison:
    late = (left_out.rows.horizon_days > LATE_DAYS) & ~np.isnan(left_out.rows.load_ahead)
    return compare_athletes(left_out.scores[PLANNED].crps[late], rival.crps[late], left_out.rows.where(late))


def _coverage(left_out: _LeftOut) -> dict[str, float]:
    bucket, inside = bucket_index(left_out.rows.horizon_days), left_out.scores[COMBINED].inside_90
    return {
        name: float(by_athlete(inside[bucket == index], left_out.rows.athlete[bucket == index]).mean())
        if (bucket == index).any()
        else float("nan")
        for index, name in enumerate(BUCKETS)
    }


def _differences(rows: Rows, inputs: Array, forecaster: Forecaster) -> Array:
    """How much athletes' coefficients differ (standard deviations), by expectation maximisation.

    A random-coefficient model (Laird and Ware 1982) with a diagonal covariance, unit noise in each independent window.
    """
    volatility = forecaster.volatility(rows.features)
    target = np.clip(rows.change / volatility, -MAX_SCALED_CHANGE, MAX_SCALED_CHANGE)
    residual = target - inputs @ forecaster.model.coefficients
    moments = []
    for athlete in np.unique(rows.athlete):
        is_own = rows.athlete == athlete
        windows = float(windows_by_athlete(rows.athlete[is_own], rows.origin_day[is_own]).sum())
        own = inputs[is_own]
        moments.append((windows * own.T @ own / len(own), windows * own.T @ residual[is_own] / len(own)))
    variance = UNLEARNT.differs**2
    for _ in range(_ROUNDS):
        total = _DIFFERENCE_WORTH * UNLEARNT.differs**2
        for gram, product in moments:
            covariance = np.linalg.inv(gram + np.diag(1.0 / variance))
            total = total + (covariance @ product) ** 2 + np.diag(covariance)
        variance = total / (_DIFFERENCE_WORTH + len(moments))
    differs: Array = np.sqrt(variance)
    return differs


def _how_athletes_differ(rows: Rows, left_out: _LeftOut) -> dict[str, Any]:
    """Standard deviations between athletes of the logarithms of volatility, and of the error by the bands' width."""
    volatility = rows.column("reading_volatility") * DEVIATION_OF_MEAN_ABSOLUTE
    known = volatility > 0
    own = np.log(by_athlete(volatility[known], rows.athlete[known]))
    scores, bucket = left_out.scores[COMBINED], bucket_index(left_out.rows.horizon_days)
    spreads = {}
    for index, name in enumerate(BUCKETS):
        in_bucket = bucket == index
        error = by_athlete(
            np.abs(scores.error[in_bucket]) / scores.width_90[in_bucket], left_out.rows.athlete[in_bucket]
        )
        spreads[name] = round(float(np.log(np.maximum(error, 1e-3)).std(ddof=1)), 3) if len(error) > 1 else None
    return {
        "volatility_differs": round(float(own.std(ddof=1)), 3) if len(own) > 1 else None,
        "band_width_differs": spreads,
        "inputs": len(INPUTS),
        "methods": list(METHODS),
    }
