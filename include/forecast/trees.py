"""Boosted trees that correct the linear core, and only where that pays: on athletes and in months not seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from include.features.schema import NAMES
from include.forecast.design import usual_load
from include.forecast.groups import Mask, leave_out
from include.forecast.horizon import Array
from include.forecast.resampling import by_athlete, resample
from include.forecast.rows import Rows

if TYPE_CHECKING:
    import xgboost

ROUNDS = 60
LEAST_GAIN = 0.01
"""Share of the mean squared error that trees must take away from the core to be kept."""
LATE_SHARE = 0.25
"""Of the rows, the last, on which trees must pay too: what they find among athletes of the same months may not last."""
FEWEST_ATHLETES = 5
MOST_ROWS = 200_000
"""Rows, evenly spread, that trees learn from: more do not change what 60 small trees say."""
TREE_INPUTS = 19
PARAMETERS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "max_depth": 2,
    "eta": 0.05,
    "lambda": 10.0,
    "subsample": 0.8,
    "base_score": 0.0,
    "tree_method": "hist",
    "nthread": 1,
}
_MOST_DAYS = 60.0


@dataclass(frozen=True)
class Problem:
    """What is learnt: the change in volatilities, and the weight of each row."""

    target: Array
    weight: Array


def tree_inputs(features: Array, horizon_days: Array, volatility: Array) -> Array:
    """More than the core has: gaps to recent means, ramp, resting heart rate, HRV; NaN where unknown."""

    def column(name: str) -> Array:
        one: Array = features[:, NAMES.index(name)]
        return one

    usual, hrv = usual_load(features), column("hrv_7d") - column("hrv_7d_vs_60d")
    return np.column_stack(
        [
            horizon_days,
            np.minimum(column("reading_age_days"), _MOST_DAYS),
            column("reading_step") / volatility,
            *(column(f"reading_mean_{days}_gap") / volatility for days in ("30d", "90d", "all")),
            *(column(f"{name}_{span}") for name in ("training_hours", "sport_sessions") for span in ("21d", "mean")),
            *(column(f"load_{days}d") / usual for days in (7, 14, 28, 42)),
            column("load_ramp_7d") / usual,
            np.minimum(column("days_since_activity"), _MOST_DAYS),
            np.minimum(column("days_since_sport"), _MOST_DAYS),
            column("resting_hr_7d_vs_60d"),
            column("hrv_7d_vs_60d") / np.where(hrv > 0, hrv, np.nan),
        ]
    )


def fit_trees(
    rows: Rows, volatility: Array, core: Array, problem: Problem, seed: int, rounds: int
) -> "xgboost.Booster":
    """Trees on top of `core`, the linear prediction in volatilities; 0 rounds give a booster that adds nothing."""
    import xgboost as xgb

    chosen = slice(0, len(rows), max(1, -(-len(rows) // MOST_ROWS)))
    few, weight = rows.where(chosen), problem.weight[chosen]
    matrix = xgb.DMatrix(
        tree_inputs(few.features, few.horizon_days, volatility[chosen]),
        label=problem.target[chosen],
        weight=weight * (len(few) / max(float(weight.sum()), 1e-12)),
        base_margin=core[chosen],
        nthread=1,
    )
    leaf = max(20.0, 0.01 * len(few))
    return xgb.train({**PARAMETERS, "seed": seed, "min_child_weight": leaf}, matrix, num_boost_round=rounds)


def nothing(seed: int) -> "xgboost.Booster":
    """A booster without trees."""
    import xgboost as xgb

    matrix = xgb.DMatrix(np.zeros((1, TREE_INPUTS)), label=np.zeros(1), base_margin=np.zeros(1), nthread=1)
    return xgb.train({**PARAMETERS, "seed": seed}, matrix, num_boost_round=0)


def predict(booster: "xgboost.Booster", inputs: Array, core: Array) -> Array:
    """Core and trees together, in volatilities."""
    both: Array = np.asarray(booster.inplace_predict(inputs, base_margin=core), dtype=float)
    return both


def out_of_fold(rows: Rows, volatility: Array, core: Array, problem: Problem, seed: int) -> Array:
    """Core and trees on rows whose group of athletes the trees have not seen; `core` is out of fold itself."""
    both = core.copy()
    for known, judged in leave_out(rows):
        theirs = Problem(problem.target[known], problem.weight[known])
        booster = fit_trees(rows.where(known), volatility[known], core[known], theirs, seed, ROUNDS)
        mine = rows.where(judged)
        both[judged] = predict(booster, tree_inputs(mine.features, mine.horizon_days, volatility[judged]), core[judged])
    return both


def ahead_in_time(rows: Rows, volatility: Array, core: Array, problem: Problem, seed: int) -> tuple[Mask, Array]:
    """Which rows are the last LATE_SHARE, and core and trees on them, learnt from targets before the first of them."""
    first = np.sort(rows.origin_day)[int(len(rows) * (1.0 - LATE_SHARE))]
    known, judged = rows.target_day < first, rows.origin_day >= first
    both = core.copy()
    if known.any():
        theirs, mine = Problem(problem.target[known], problem.weight[known]), rows.where(judged)
        booster = fit_trees(rows.where(known), volatility[known], core[known], theirs, seed, ROUNDS)
        both[judged] = predict(booster, tree_inputs(mine.features, mine.horizon_days, volatility[judged]), core[judged])
    return judged, both


def gain(rows: Rows, core: Array, both: Array, problem: Problem, judged: Mask, seed: int) -> tuple[float, float]:
    """Share of the core's squared error that trees take away, athletes counting the same, and its 95 % lower bound.

    The athletes who gain the most and the least are left out: one impossible history must not decide for others.
    """
    before, after = (by_athlete((problem.target - one)[judged] ** 2, rows.athlete[judged]) for one in (core, both))
    if len(before) >= FEWEST_ATHLETES:
        middle = np.argsort(after - before, kind="stable")[1:-1]
        before, after = before[middle], after[middle]
    shares = resample(len(before), seed)
    low = float(np.quantile(1.0 - (shares @ after) / (shares @ before), 0.025))
    return float(1.0 - after.mean() / before.mean()), low


def they_pay(rows: Rows, volatility: Array, core: Array, both: Array, problem: Problem, seed: int) -> tuple[bool, str]:
    """Whether trees pay on other athletes (`both`, out of fold) and ahead in time, and the sentence that says so."""
    judged, later = ahead_in_time(rows, volatility, core, problem, seed)
    others, low = gain(rows, core, both, problem, np.ones(len(rows), dtype=bool), seed)
    ahead, low_ahead = gain(rows, core, later, problem, judged, seed)
    said = f"change the core's squared error by {-others:+.1%} on other athletes, by {-ahead:+.1%} ahead in time"
    if min(others, ahead) >= LEAST_GAIN and min(low, low_ahead) > 0:
        return True, f"trees kept: they {said}"
    return False, f"no trees: they {said}"
