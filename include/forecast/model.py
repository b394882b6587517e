"""The forecaster's mean: boosted trees on the change in units of the athlete's volatility."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from include.forecast.design import design_matrix
from include.forecast.horizon import Array
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import Pooling

if TYPE_CHECKING:
    import xgboost

ROUNDS = 150
MAX_SCALED_CHANGE = 4.0
"""Changes beyond 4 volatilities (a new watch, a corrected profile) teach no more than 4."""
FEWEST_TRAIN_ROWS = 100
PARAMETERS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "max_depth": 3,
    "eta": 0.03,
    "lambda": 10.0,
    "subsample": 0.8,
    "base_score": 0.0,
    "tree_method": "hist",
    "nthread": 1,
}


def shrink(horizon_days: npt.ArrayLike) -> Array:
    """Weight of the model against persistence: 0 up to 7 d, 1 from 14 d on. Below ~10 d readings hardly move."""
    weight: Array = np.clip((np.asarray(horizon_days, dtype=float) - 7.0) / 7.0, 0.0, 1.0)
    return weight


def fit(rows: Rows, pooling: Pooling, seed: int, rounds: int = ROUNDS) -> "xgboost.Booster":
    """Trees fitted with equal weight for each athlete; the same rows and seed give the same bytes.

    Raises:
        ValueError: fewer than FEWEST_TRAIN_ROWS rows have a horizon on which the model counts.
    """
    import xgboost as xgb

    rows = rows.where(shrink(rows.horizon_days) > 0)
    if len(rows) < FEWEST_TRAIN_ROWS:
        raise ValueError(f"{len(rows)} training rows beyond 7 d, the forecaster needs {FEWEST_TRAIN_ROWS}")
    volatility = rows.volatility(pooling)
    weight = athlete_weights(rows.athlete) * shrink(rows.horizon_days)
    matrix = xgb.DMatrix(
        design_matrix(rows.features, rows.horizon_days, volatility),
        label=np.clip(rows.change / volatility, -MAX_SCALED_CHANGE, MAX_SCALED_CHANGE),
        weight=weight,
        nthread=1,
    )
    leaf = max(20.0, 0.01 * float(weight.sum()))
    return xgb.train({**PARAMETERS, "seed": seed, "min_child_weight": leaf}, matrix, num_boost_round=rounds)


def predict_change(booster: "xgboost.Booster | None", features: Array, horizon_days: Array, volatility: Array) -> Array:
    """Expected change from the last reading (ml/kg/min); without a booster zero, which is persistence."""
    if booster is None or not len(features):
        return np.zeros(len(features))
    scaled = booster.inplace_predict(design_matrix(features, horizon_days, volatility))
    change: Array = np.asarray(scaled, dtype=float) * shrink(horizon_days) * volatility
    return change
