"""What drives the forecasts of an evaluation, and a few of them drawn out: associations, for people to look at."""

from typing import Any

import numpy as np

from include.forecast import trees
from include.forecast.design import INPUTS, design_matrix
from include.forecast.distribution import Predictive, crps
from include.forecast.forecaster import FORECASTER, PERSISTENCE, Forecaster
from include.forecast.horizon import BUCKETS, MAX_HORIZON_DAYS, Array, bucket_index
from include.forecast.rows import Rows

_EXAMPLE_DAYS = (7, 14, 21, 28, 35, 42)
_MOST_ROWS = 20_000


def drivers(forecaster: Forecaster, rows: Rows) -> list[dict[str, Any]]:
    """Mean absolute contribution of each input to the change expected beyond 14 d (ml/kg/min), largest first.

    The core's is coefficient × input; that of the trees is the sum of their SHAP values (XGBoost's own).
    """
    late = rows.where(np.flatnonzero(rows.horizon_days > 14)[:_MOST_ROWS])
    if not len(late):
        return []
    volatility = forecaster.volatility(late.features)
    inputs = design_matrix(late.features, late.horizon_days, volatility)
    parts = np.abs(inputs * forecaster.model.coefficients * volatility[:, None]).mean(axis=0)
    found = [
        {"input": name, "means": meaning, "coefficient": float(coefficient), "mean_change": float(part)}
        for (name, meaning), coefficient, part in zip(INPUTS.items(), forecaster.model.coefficients, parts, strict=True)
    ]
    if forecaster.model.booster.num_boosted_rounds():
        change = _trees_change(forecaster, late, inputs @ forecaster.model.coefficients) * volatility
        told = {"input": "trees", "means": "what the trees add", "coefficient": None}
        found.append(told | {"mean_change": float(np.abs(change).mean())})
    return sorted(found, key=lambda one: -float(one["mean_change"]))


def worst_cases(forecaster: Forecaster, served_by: dict[str, str], rows: Rows) -> list[dict[str, Any]]:
    """The worst forecast of each of the three athletes with the worst ones: what was served and what came.

    Each has the fan from its origin: day, mean, and the 80 % and 90 % bands as changes from the last reading.
    """
    if not len(rows):
        return []
    answers = np.array([served_by[name] == FORECASTER for name in BUCKETS])[bucket_index(rows.horizon_days)]
    mean = np.where(answers, forecaster.change(FORECASTER, rows.features, rows.horizon_days), 0.0)
    wide = [forecaster.half_width(method, rows.features, rows.horizon_days) for method in (FORECASTER, PERSISTENCE)]
    score = crps(Predictive(mean, np.where(answers[:, None], *wide), rows.is_whole), rows.change)
    found: list[dict[str, Any]] = []
    for index in np.argsort(-score, kind="stable"):
        if str(rows.athlete[index]) not in {one["athlete"] for one in found}:
            found.append(_case(forecaster, served_by, rows, int(index), float(score[index])))
        if len(found) == 3:
            break
    return found


def _case(forecaster: Forecaster, served_by: dict[str, str], rows: Rows, index: int, score: float) -> dict[str, Any]:
    one = rows.where(slice(index, index + 1))
    days = np.array([day for day in range(1, MAX_HORIZON_DAYS + 1) if day in _EXAMPLE_DAYS or day == 1], dtype=float)
    features = np.repeat(one.features, len(days), axis=0)
    answers = np.array([served_by[name] == FORECASTER for name in BUCKETS])[bucket_index(days)]
    mean = np.where(answers, forecaster.change(FORECASTER, features, days), 0.0)
    wide = [forecaster.half_width(method, features, days)[:, -2:] for method in (FORECASTER, PERSISTENCE)]
    width = np.where(answers[:, None], *wide)
    return {
        "athlete": str(one.athlete[0]),
        "origin_day": str(one.origin_day[0]),
        "vo2max_last": float(one.column("vo2max_last")[0]),
        "came": {"horizon_days": float(one.horizon_days[0]), "change": float(one.change[0])},
        "crps": score,
        "fan": [
            {"horizon_days": float(day), "mean": float(middle), "half_80": float(near), "half_90": float(far)}
            for day, middle, (near, far) in zip(days, mean, width, strict=True)
        ],
    }


def _trees_change(forecaster: Forecaster, rows: Rows, core: Array) -> Array:
    import xgboost as xgb

    inputs = trees.tree_inputs(rows.features, rows.horizon_days, forecaster.volatility(rows.features))
    matrix = xgb.DMatrix(inputs, base_margin=core, nthread=1)
    shap = forecaster.model.booster.predict(matrix, pred_contribs=True)
    added: Array = np.asarray(shap, dtype=float)[:, :-1].sum(axis=1)
    return added
