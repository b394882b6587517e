"""From training rows to a forecaster."""

from typing import Any

import numpy as np

from include.forecast import model
from include.forecast.distribution import Predictive, crps
from include.forecast.forecaster import FORECASTER, PERSISTENCE, PLANNED, Forecaster, row_scale
from include.forecast.groups import leave_out
from include.forecast.horizon import BUCKETS, Array
from include.forecast.intervals import calibrate
from include.forecast.resampling import by_athlete
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import Pooling, fit_pooling
from include.forecast.what_if import LoadEffect, fit_effect


def train_forecaster(rows: Rows, seed: int, about: dict[str, Any]) -> Forecaster:
    """The mean on all rows; the bands on errors of means that had not seen the row's group (groups.leave_out).

    Too little data is no error: with too few rows the mean is persistence, and a bucket with too few windows has bands
    that are a prior; `about["notes"]` of the result says which. `about["crps"]` holds the out-of-fold CRPS of
    FORECASTER and PERSISTENCE (every athlete counting the same; 0 without rows).
    """
    pooling = fit_pooling(rows.column("reading_volatility"), athlete_weights(rows.athlete, rows.origin_day))
    fitted = model.fit(rows, pooling, seed)
    volatility = rows.volatility(pooling)
    error = rows.change - fitted.out_of_fold
    effect = fit_effect(rows, error, volatility, seed)
    errors = {FORECASTER: error, PERSISTENCE: rows.change, PLANNED: error - _effect_out_of_fold(rows, error, pooling)}
    scale = row_scale(rows, pooling)
    bands = {method: calibrate(one, rows, scale) for method, one in errors.items()}
    guessed = [name for name, is_prior in zip(BUCKETS, bands[PERSISTENCE].is_prior, strict=True) if is_prior]
    notes = list(fitted.notes)
    if guessed:
        notes.append(f"bands of {', '.join(guessed)} d are a prior: too few readings to calibrate on")
    forecaster = Forecaster(fitted.model, pooling, bands, effect)
    told = {method: _mean_crps(forecaster, method, rows, errors[method]) for method in (FORECASTER, PERSISTENCE)}
    return Forecaster(fitted.model, pooling, bands, effect, {**about, "seed": seed, "notes": notes, "crps": told})


def _effect_out_of_fold(rows: Rows, error: Array, pooling: Pooling) -> Array:
    """What the load ahead adds (ml/kg/min), by an effect that has not seen the row's group."""
    volatility, added = rows.volatility(pooling), np.zeros(len(rows))
    for known, judged in leave_out(rows):
        effect: LoadEffect = fit_effect(rows.where(known), error[known], volatility[known], seed=0)
        mine = rows.where(judged)
        added[judged] = effect.difference(mine.features, mine.load_ahead, mine.horizon_days, volatility[judged])[:, 0]
    return added


def _mean_crps(forecaster: Forecaster, method: str, rows: Rows, error: Array) -> float:
    """CRPS (ml/kg/min) of the out-of-fold forecasts, every athlete counting the same; 0 without rows."""
    if not len(rows):
        return 0.0
    half_width = forecaster.half_width(method, rows.features, rows.horizon_days)
    score = crps(Predictive(rows.change - error, half_width, rows.is_whole), rows.change)
    return round(float(by_athlete(score, rows.athlete).mean()), 6)
