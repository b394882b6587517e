"""Model inputs from features and horizon, on the athlete's own scale (no identity, no calendar)."""

import numpy as np

from include.features.schema import NAMES
from include.forecast.horizon import MAX_HORIZON_DAYS, Array

INPUTS: dict[str, str] = {
    "own_mean": "mean of all readings less the last one (volatilities)",
    "last_step": "last reading less the one before it (volatilities)",
    "activity_gap": "what the day's activity told less the last reading, beyond the usual",
    "reading_age": "months since the last reading",
    "volume": "hours of training a week against the usual (log, three weeks)",
    "frequency": "sessions of the sport a week against the usual (log, three weeks)",
    "load": "42-day training load less the usual (share of it)",
    "form": "7-day less 42-day training load (share of the usual)",
    "pause": "months since the last activity of the sport",
}
"""What moves a reading, by name; an unknown one counts as nothing out of the usual."""
_MOST_VOLATILITIES, _MOST_STEP = 3.0, 2.0
_CREDIBLE_DAYS = 90.0
"""History of readings with which their mean is half trusted: a mean of a few weeks is no usual level."""
_CREDIBLE_READINGS = 10.0
"""Readings with which the usual gap between what an activity and its day tell counts by half."""
_MOST_DAYS, _MONTH_DAYS = 60.0, 30.0
_HOLDING_HOURS, _HOLDING_SESSIONS = 2.5, 2.0
"""A week, usual until more is known of the athlete: 150 minutes (WHO guidelines on physical activity, 2020) and two
sessions (Hickson and Rosenkoetter 1981, on reduced frequency) hold fitness."""
_WEEKS = 4.0
"""Sessions count by four weeks: beside the 1 that is added, one a month weighs what an hour a week does."""
_TOLD_DAYS = 730.0
"""History with which the athlete's own usual counts by half."""
_MOST_LOG = 3.0
"""Twenty times the usual: a watch that was never stopped."""


def design_matrix(features: Array, horizon_days: Array, volatility: Array) -> Array:
    """A column per INPUTS for each row of `features` (schema order), times √(h/42): changes grow with the horizon."""

    def column(name: str) -> Array:
        one: Array = features[:, NAMES.index(name)]
        return one

    usual = usual_load(features)
    load, form = column("load_42d") / usual, column("load_7d") / usual
    trust = _share(column("reading_history_days"), _CREDIBLE_DAYS)
    told = _share(column("history_days"), _TOLD_DAYS)
    sessions, usual_sessions = (column(f"sport_sessions_{span}") * _WEEKS for span in ("21d", "mean"))
    usual_gap = column("reading_activity_gap_mean") * _share(column("readings"), _CREDIBLE_READINGS)
    activity_gap = column("reading_activity_gap") - usual_gap
    columns = (
        np.clip(column("reading_mean_all_gap") / volatility, -_MOST_VOLATILITIES, _MOST_VOLATILITIES) * trust,
        np.clip(column("reading_step") / volatility, -_MOST_STEP, _MOST_STEP),
        np.clip(activity_gap / volatility, -_MOST_VOLATILITIES, _MOST_VOLATILITIES),
        np.minimum(column("reading_age_days"), _MOST_DAYS) / _MONTH_DAYS,
        _against_usual(column("training_hours_21d"), column("training_hours_mean"), _HOLDING_HOURS, told),
        _against_usual(sessions, usual_sessions, _HOLDING_SESSIONS * _WEEKS, told),
        np.clip(load - 1.0, -1.0, 1.0),
        np.clip(form - load, -1.0, 1.0),
        np.minimum(column("days_since_sport"), _MOST_DAYS) / _MONTH_DAYS,
    )
    grown = np.sqrt(np.minimum(horizon_days, MAX_HORIZON_DAYS) / MAX_HORIZON_DAYS)
    matrix: Array = np.nan_to_num(np.column_stack(columns)) * grown[:, None]
    return matrix


def _share(history: Array, half: float) -> Array:
    """What so long a history (days, readings) counts: nothing at first, one half with `half`, in the end all."""
    known = np.maximum(history, 0.0)
    share: Array = known / (known + half)
    return share


def _against_usual(lately: Array, so_far: Array, holding: float, told: Array) -> Array:
    """Logarithm of an amount over the usual one, each with 1 added: none at all is not infinitely little."""
    usual = told * np.maximum(so_far, 0.0) + (1.0 - told) * holding
    ratio: Array = np.clip(np.log((1.0 + np.maximum(lately, 0.0)) / (1.0 + usual)), -_MOST_LOG, _MOST_LOG)
    return ratio


def usual_load(features: Array) -> Array:
    """The athlete's mean training load a day over all of the history; NaN where unknown or zero."""
    mean = features[:, NAMES.index("load_mean")]
    usual: Array = np.where(mean > 0, mean, np.nan)
    return usual
