"""What planned training load changes about a forecast: the difference to training as usual, with its band.

One coefficient, never negative: more planned load never lowers a forecast, and load beyond what the training athletes
have done counts no more. It is an association, not an effect of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.features.schema import NAMES
from include.forecast.design import usual_load
from include.forecast.horizon import MAX_HORIZON_DAYS, Array
from include.forecast.linear import solve
from include.forecast.resampling import resample
from include.forecast.rows import Rows, athlete_weights

PENALTY = 0.02
"""Smaller than the core's, as the input is: planned load differs from the usual by a third of it, mostly."""
SUPPORT_SHARE = 0.95
LATE_DAYS = 14
"""Planned load must prove itself beyond them: what is trained tomorrow moves no reading of this week."""
OFF = "planned training load has not been shown to improve the forecast"


@dataclass(frozen=True)
class LoadEffect:
    """Change in volatilities over 42 d for a usual load more a day: expected, and a bootstrap's middle 90 %."""

    expected: float
    low: float
    high: float
    support: float
    """Planned over usual load that 95 % of the training rows stay under."""

    def exposure(self, features: Array, mean_load: Array, horizon_days: Array) -> Array:
        """How much more than as usual is planned, × h/42 as it adds up; as usual = the 42-day load goes on.

        `mean_load` is a day's mean from the origin to the horizon; where it is NaN the plan is as usual.
        """
        usual = usual_load(features)
        now = np.clip(features[:, NAMES.index("load_42d")] / usual, 0.0, self.support)
        planned = np.clip(mean_load / usual, 0.0, self.support)
        exposure: Array = np.nan_to_num(planned - now) * np.minimum(horizon_days, MAX_HORIZON_DAYS) / MAX_HORIZON_DAYS
        return exposure

    def difference(self, features: Array, mean_load: Array, horizon_days: Array, volatility: Array) -> Array:
        """Difference to as usual (ml/kg/min): columns expected, low and high (90 %)."""
        exposure = self.exposure(features, mean_load, horizon_days) * volatility
        ends = exposure[:, None] * np.array([[self.low, self.high]])
        table: Array = np.column_stack([exposure * self.expected, ends.min(axis=1), ends.max(axis=1)])
        return table

    def to_json(self) -> dict[str, Any]:
        return {name: round(float(getattr(self, name)), 6) for name in self.__dataclass_fields__}


NO_EFFECT = LoadEffect(0.0, 0.0, 0.0, 1.0)


def fit_effect(
    rows: Rows, residual: Array, volatility: Array, seed: int, others: LoadEffect = NO_EFFECT, athletes: float = 0.0
) -> LoadEffect:
    """The effect that the load ahead has on the core's out-of-fold errors, every athlete counting the same.

    Args:
        others: the effect among so many other athletes; it counts as they do, and alone where no load ahead is known.
    """
    known = ~np.isnan(rows.load_ahead) & ~np.isnan(usual_load(rows.features))
    if not known.any():
        return others
    rows, target = rows.where(known), np.clip(residual[known] / volatility[known], -4.0, 4.0)
    ratio = rows.load_ahead / usual_load(rows.features)
    support = max(float(np.quantile(ratio, SUPPORT_SHARE)), 1.0)
    exposure = LoadEffect(0.0, 0.0, 0.0, support).exposure(rows.features, rows.load_ahead, rows.horizon_days)
    weight = athlete_weights(rows.athlete, rows.origin_day)
    expected = float(solve(exposure[:, None], target, weight, PENALTY)[0])
    _, athlete = np.unique(rows.athlete, return_inverse=True)
    squares, products, worth = (
        np.bincount(athlete, weights=weight * one) for one in (exposure**2, exposure * target, np.ones(len(rows)))
    )
    shares = resample(len(worth), seed)
    drawn = (shares @ products) / (shares @ (squares + PENALTY * worth))
    expected, low, high = (max(float(value), 0.0) for value in (expected, *np.quantile(drawn, [0.05, 0.95])))
    share = athletes / (athletes + float(weight.sum()))
    own = LoadEffect(expected, low, high, support)
    return LoadEffect(
        *(
            share * getattr(others, name) + (1.0 - share) * getattr(own, name)
            for name in LoadEffect.__dataclass_fields__
        )
    )


def plan_mean(weekly_load: Sequence[float], horizon_days: Array) -> Array:
    """Mean planned load a day from the origin to each horizon; the last week goes on."""
    days = np.repeat(np.asarray(weekly_load, dtype=float) / 7.0, 7)
    days = np.append(days, np.full(max(0, MAX_HORIZON_DAYS - len(days)), days[-1]))
    mean: Array = np.cumsum(days)[horizon_days.astype(int) - 1] / horizon_days
    return mean
