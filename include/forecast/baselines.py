"""What a forecaster has to beat: simple methods with plain conformal bands (by horizon bucket, in ml/kg/min)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from include.forecast.design import usual_load
from include.forecast.distribution import Predictive
from include.forecast.groups import leave_out
from include.forecast.horizon import MAX_HORIZON_DAYS, Array
from include.forecast.intervals import Bands, calibrate
from include.forecast.methods import DAMPED_DRIFT, damped_drift
from include.forecast.model import MAX_SCALED_CHANGE, Prior, solve_for
from include.forecast.population import EXPECTED_DIFFERENCE, EXPECTED_SPREAD
from include.forecast.rows import Rows, athlete_weights
from include.forecast.volatility import Pooling

PLAIN_PERSISTENCE = "plain_persistence"
LOCAL_LEVEL = "local_level"
BANISTER = "banister"
RIDGE = "ridge"
SIMPLE = (PLAIN_PERSISTENCE, DAMPED_DRIFT, LOCAL_LEVEL, BANISTER)
"""The baselines of the gate. A ridge is the forecaster's own core: it is what trees have to beat (trees.they_pay)."""

_FITNESS_DAYS, _FATIGUE_DAYS = 42.0, 14.0


@dataclass(frozen=True)
class Baseline:
    """A method's expected change from the last reading (ml/kg/min), and its bands."""

    change: Callable[[Rows], Array]
    bands: Bands

    def predictive(self, rows: Rows) -> Predictive:
        mean = self.change(rows)
        half_width = self.bands.half_width(rows.horizon_days, rows.column("reading_age_days"), np.ones(len(rows)))
        return Predictive(mean, half_width, np.zeros(len(rows), dtype=bool))


def fit_baselines(rows: Rows, pooling: Pooling, load_is_known: bool = False) -> dict[str, Baseline]:
    """All baselines by name, fitted and calibrated on `rows` (out of fold where there is something to fit)."""

    def linear(inputs: Callable[[Rows], Array]) -> Baseline:
        volatility, columns = rows.volatility(pooling), inputs(rows)
        weight = athlete_weights(rows.athlete, rows.origin_day)
        target = np.clip(rows.change / volatility, -MAX_SCALED_CHANGE, MAX_SCALED_CHANGE)
        prior = _nothing_expected(columns.shape[1])
        coefficients = solve_for(rows, columns, target, weight, prior)
        scaled = np.zeros(len(rows))
        for known, judged in leave_out(rows):
            scaled[judged] = columns[judged] @ solve_for(rows, columns, target, weight, prior, known)

        def change(asked: Rows) -> Array:
            return inputs(asked) @ coefficients * asked.volatility(pooling)

        error = rows.change - scaled * volatility
        return Baseline(change, calibrate(error, rows, None))

    def fixed(change: Callable[[Rows], Array]) -> Baseline:
        return Baseline(change, calibrate(rows.change - change(rows), rows, None))

    return {
        PLAIN_PERSISTENCE: fixed(lambda asked: np.zeros(len(asked))),
        DAMPED_DRIFT: fixed(lambda asked: damped_drift(asked.features, asked.horizon_days)),
        LOCAL_LEVEL: fixed(lambda asked: asked.level_gap),
        BANISTER: linear(lambda asked: _banister_inputs(asked, load_is_known)),
        RIDGE: linear(lambda asked: _ridge_inputs(asked, pooling)),
    }


def _nothing_expected(inputs: int) -> Prior:
    return Prior(np.zeros(inputs), np.full(inputs, EXPECTED_SPREAD), np.full(inputs, EXPECTED_DIFFERENCE))


def _banister_inputs(rows: Rows, load_is_known: bool) -> Array:
    """Fitness (42 d) and fatigue (14 d) that are gained until the target, over the usual load.

    Without knowing the load ahead the athlete goes on as in the last 28 days.
    """
    usual = usual_load(rows.features)
    ahead = rows.column("load_28d") / usual
    if load_is_known:
        ahead = np.where(np.isnan(rows.load_ahead), ahead, rows.load_ahead / usual)
    columns = [
        (np.clip(ahead, 0, 3) - np.clip(rows.column(name) / usual, 0, 3)) * (1.0 - np.exp(-rows.horizon_days / days))
        for name, days in (("load_42d", _FITNESS_DAYS), ("load_14d", _FATIGUE_DAYS))
    ]
    return np.nan_to_num(np.column_stack(columns))


def _ridge_inputs(rows: Rows, pooling: Pooling) -> Array:
    """Reversion to three means, age of the reading, five loads, days since a run: × √(h/42)."""
    usual, volatility = usual_load(rows.features), rows.volatility(pooling)
    load = {days: rows.column(f"load_{days}d") / usual for days in (7, 14, 28, 42)}
    columns = [
        *(np.clip(rows.column(f"reading_mean_{name}_gap") / volatility, -3, 3) for name in ("30d", "90d", "all")),
        np.minimum(rows.column("reading_age_days"), 60) / 30,
        np.clip(load[42] - 1, -1, 1),
        *(np.clip(load[days] - load[42], -1, 1) for days in (7, 14, 28)),
        np.clip(rows.column("load_ramp_7d") / usual, -1, 1),
        np.minimum(rows.column("days_since_sport"), 60) / 30,
    ]
    grown = np.sqrt(np.minimum(rows.horizon_days, MAX_HORIZON_DAYS) / MAX_HORIZON_DAYS)
    return np.nan_to_num(np.column_stack(columns)) * grown[:, None]
