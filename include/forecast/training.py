"""From training rows, and what is known of other athletes, to a forecaster."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from include.forecast import model
from include.forecast.distribution import Predictive, crps
from include.forecast.forecaster import Forecaster, row_scale
from include.forecast.groups import leave_out
from include.forecast.horizon import BUCKETS, Array
from include.forecast.intervals import calibrate
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.population import PLANNED, Population
from include.forecast.resampling import by_athlete
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import Pooling, fit_pooling
from include.forecast.what_if import fit_effect


def train_forecaster(
    rows: Rows, seed: int, about: Mapping[str, Any], population: Population, may_have_trees: bool = True
) -> Forecaster:
    """The population's forecaster, brought up to date by rows: the mean on all of them; the bands on errors of means
    that had not seen the row's group (groups.leave_out).

    Too little data is no error: without rows the population alone answers, and a bucket with too few windows has the
    population's bands. `about["notes"]` of the result says so; `about["crps"]` holds the out-of-fold CRPS of FORECASTER
    and PERSISTENCE (every athlete counting the same; 0 without rows).
    """
    weight = athlete_weights(rows.athlete, rows.origin_day)
    pooling = fit_pooling(rows.column("reading_volatility"), weight, population.usual_volatility, population.athletes)
    prior = model.Prior(population.expected, population.spread, population.differs)
    fitted = model.fit(rows, pooling, seed, prior, may_have_trees)
    volatility = rows.volatility(pooling)
    error = rows.change - fitted.out_of_fold
    effect = fit_effect(rows, error, volatility, seed, population.effect, population.athletes)
    planned = error - _effect_out_of_fold(rows, error, pooling, population)
    errors = {FORECASTER: error, PERSISTENCE: rows.change, PLANNED: planned}
    scale = row_scale(rows, pooling)
    bands = {
        name: calibrate(values, rows, scale, population.bands[name], population.athletes)
        for name, values in errors.items()
    }
    notes = [*fitted.notes, *_notes(rows, population)]
    guessed = [name for name, is_prior in zip(BUCKETS, bands[PERSISTENCE].is_prior, strict=True) if is_prior]
    if guessed:
        notes.append(f"bands of {', '.join(guessed)} d are a prior: too few readings to calibrate on")
    forecaster = Forecaster(fitted.model, pooling, bands, population.start, effect)
    scores = {name: _mean_crps(forecaster, name, rows, errors[name]) for name in (FORECASTER, PERSISTENCE)}
    described = {**about, "seed": seed, "notes": notes, "crps": scores}
    return Forecaster(fitted.model, pooling, bands, population.start, effect, described)


def _notes(rows: Rows, population: Population) -> list[str]:
    """What the forecaster rests on, in a sentence."""
    own = len(np.unique(rows.athlete))
    if not population.athletes:
        return []
    here = "1 athlete" if own == 1 else f"{own} athletes"
    return [
        f"starts from {population.athletes:.0f} athletes that the project was built with; trained on {here} of its own"
    ]


def _effect_out_of_fold(rows: Rows, error: Array, pooling: Pooling, population: Population) -> Array:
    """What the load ahead adds (ml/kg/min), by an effect that has not seen the row's group."""
    volatility, added = rows.volatility(pooling), np.zeros(len(rows))
    for known, judged in leave_out(rows):
        effect = fit_effect(
            rows.where(known), error[known], volatility[known], 0, population.effect, population.athletes
        )
        asked = rows.where(judged)
        difference = effect.difference(asked.features, asked.load_ahead, asked.horizon_days, volatility[judged])
        added[judged] = difference[:, 0]
    return added


def _mean_crps(forecaster: Forecaster, method: str, rows: Rows, error: Array) -> float:
    """CRPS (ml/kg/min) of the out-of-fold forecasts, every athlete counting the same; 0 without rows."""
    if not len(rows):
        return 0.0
    half_width = forecaster.half_width(method, rows.features, rows.horizon_days)
    score = crps(Predictive(rows.change - error, half_width, rows.is_whole), rows.change)
    return round(float(by_athlete(score, rows.athlete).mean()), 6)
