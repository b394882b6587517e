"""What drives the forecasts of an evaluation, and a few of them drawn out: associations, for people to look at."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from include.forecast import trees
from include.forecast.design import INPUTS, design_matrix
from include.forecast.distribution import Predictive, crps
from include.forecast.forecaster import Forecaster
from include.forecast.horizon import Array
from include.forecast.own_record import Records
from include.forecast.rows import Rows

_EXAMPLE_DAYS = (1, 7, 14, 21, 28, 35, 42)
_EXAMPLES = 3
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
        added = {"input": "trees", "means": "what the trees add", "coefficient": None}
        found.append(added | {"mean_change": float(np.abs(change).mean())})
    return sorted(found, key=lambda driver: -float(driver["mean_change"]))


def cases(
    forecaster: Forecaster, served_by: Mapping[str, str], rows: Rows, records: Records, served: Predictive
) -> dict[str, list[dict[str, Any]]]:
    """Forecasts to look at: `typical`, the one of the median score of three athletes in the middle, and `worst`.

    Worst is the worst one of each of the three athletes with the worst ones. Each has the fan from its origin (day,
    mean, 80 % and 90 % bands as changes from the last reading) and every reading that came.

    Args:
        records: of each row; `served`: the distributions that they give.
    """
    if not len(rows):
        return {"typical": [], "worst": []}
    score = crps(served, rows.change)
    _, athlete, count = np.unique(rows.athlete, return_inverse=True, return_counts=True)
    ranked = np.split(np.lexsort((score, athlete)), np.cumsum(count)[:-1])
    middle = sorted((int(own[len(own) // 2]) for own in ranked), key=lambda index: float(score[index]))
    first = max((len(middle) - _EXAMPLES) // 2, 0)
    worst = sorted((int(own[-1]) for own in ranked), key=lambda index: -float(score[index]))
    chosen = {"typical": middle[first : first + _EXAMPLES], "worst": worst[:_EXAMPLES]}
    return {
        kind: [_case(forecaster, served_by, rows, records, index, score) for index in found]
        for kind, found in chosen.items()
    }


def _case(
    forecaster: Forecaster, served_by: Mapping[str, str], rows: Rows, records: Records, index: int, score: Array
) -> dict[str, Any]:
    same = (rows.athlete == rows.athlete[index]) & (rows.origin_day == rows.origin_day[index])
    days = np.array(_EXAMPLE_DAYS, dtype=float)
    repeated = np.full(len(days), index)
    fan = forecaster.served(served_by, rows.features[repeated], days, records.at(repeated))
    return {
        "athlete": str(rows.athlete[index]),
        "origin_day": str(rows.origin_day[index]),
        "vo2max_last": float(rows.column("vo2max_last")[index]),
        "crps": float(score[index]),
        "fan": [
            {"horizon_days": float(day), "mean": float(middle), "half_80": float(near), "half_90": float(far)}
            for day, middle, (near, far) in zip(days, fan.mean, fan.half_width[:, -2:], strict=True)
        ],
        "came": [
            {"horizon_days": float(day), "change": float(change)}
            for day, change in zip(rows.horizon_days[same], rows.change[same], strict=True)
        ],
    }


def _trees_change(forecaster: Forecaster, rows: Rows, core: Array) -> Array:
    import xgboost as xgb

    inputs = trees.tree_inputs(rows.features, rows.horizon_days, forecaster.volatility(rows.features))
    matrix = xgb.DMatrix(inputs, base_margin=core, nthread=1)
    shap = forecaster.model.booster.predict(matrix, pred_contribs=True)
    added: Array = np.asarray(shap, dtype=float)[:, :-1].sum(axis=1)
    return added
