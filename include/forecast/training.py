"""From the train and calibration folds to a forecaster."""

from typing import Any

from include.forecast import model
from include.forecast.forecaster import FORECASTER, PERSISTENCE, Forecaster, row_scale
from include.forecast.horizon import BUCKETS
from include.forecast.intervals import Bands, calibrate, crps, prior_bands
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import fit_pooling


def train_forecaster(train: Rows, calibration: Rows, seed: int, about: dict[str, Any]) -> Forecaster:
    """Trees on the train fold, bands of trees and persistence on the calibration fold.

    Too little data is no error: without enough training rows there are no trees, without enough calibration rows a
    bucket's bands are a prior; `about["notes"]` of the result says which.
    """
    notes = []
    pooling = fit_pooling(train.column("reading_volatility"), train.athlete)
    try:
        booster = model.fit(train, pooling, seed)
    except ValueError as error:
        booster = None
        notes.append(f"no trees: {error}")
    bare = Forecaster(booster, pooling, {FORECASTER: prior_bands(), PERSISTENCE: prior_bands()})
    bands = {method: _bands(bare, method, calibration) for method in (FORECASTER, PERSISTENCE)}
    guessed = [name for name, is_prior in zip(BUCKETS, bands[PERSISTENCE].is_prior, strict=True) if is_prior]
    if guessed:
        notes.append(f"bands of {', '.join(guessed)} d are a prior: too few calibration readings")
    return Forecaster(booster, pooling, bands, {**about, "seed": seed, "notes": notes})


def _bands(forecaster: Forecaster, method: str, rows: Rows) -> Bands:
    if not len(rows):
        return prior_bands()
    error = rows.change - forecaster.change(method, rows.features, rows.horizon_days)
    scale = row_scale(rows, forecaster.pooling)
    return calibrate(error, rows.horizon_days, scale, rows.athlete, rows.origin_day)


def mean_crps(forecaster: Forecaster, method: str, rows: Rows) -> float:
    """CRPS of a method over rows (ml/kg/min), every athlete counting the same; 0 without rows."""
    if not len(rows):
        return 0.0
    error = rows.change - forecaster.change(method, rows.features, rows.horizon_days)
    score = crps(error, forecaster.half_width(method, rows.features, rows.horizon_days))
    return float((score * athlete_weights(rows.athlete)).mean())
