"""What the activities of one athlete say of each day: load averages, volume, and how long ago the last one was.

`loads` is the table of include.features.load; `known` says of each day from `first_day` on whether its load is known
(include.features.traces): unknown days are left out, not counted as rest.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.days import Days, Flags, Floats, is_among, last_position
from include.features.load import FAMILIES, SOURCES, Loads
from include.features.readings import SPORTS

LOAD_TIME_CONSTANTS_DAYS = (7, 14, 28, 42)
FIRST_LOAD_DAYS = 7
"""Averages are unknown for the first week: a single activity is no average."""
VOLUME_DAYS = 21


def load_averages(loads: Loads, first_day: int, known: Flags) -> dict[str, Floats]:
    """Exponentially weighted loads a day over the known days, what they are made of, and their mean so far."""
    by_source = _daily_sums(
        loads.load, (loads.day - first_day) * len(SOURCES) + loads.source, len(known) * len(SOURCES)
    )
    daily = by_source.reshape(len(known), len(SOURCES))[known]
    measured, trimp, duration = daily.T
    total = measured + trimp + duration
    averages = {f"load_{days}d": _weighted(total, days) for days in LOAD_TIME_CONSTANTS_DAYS}
    slow = averages["load_42d"]
    averages["load_balance"] = slow - averages["load_7d"]
    averages["load_ramp_7d"] = slow - _days_before(slow, 7)
    averages["load_mean"] = pd.Series(total).expanding(FIRST_LOAD_DAYS).mean().to_numpy()
    positive = np.where(slow > 0, slow, np.nan)
    for source, load in (("measured", measured), ("trimp", trimp)):
        averages[f"load_{source}_share"] = (_weighted(load, 42) / positive).clip(0.0, 1.0)
    columns = {name: np.full(len(known), np.nan) for name in averages}
    for name, values in averages.items():
        columns[name][known] = values
    return columns


def volume(
    loads: Loads, sport: npt.NDArray[np.str_], first_day: int, known: Flags, complete: Flags
) -> dict[str, Floats]:
    """Hours of training a week over the known days, and recorded sessions a week of `sport`: lately and so far.

    Lately is the last VOLUME_DAYS. Sessions are counted over all days whose activities are `complete`: the watch's
    estimate moves with the sessions that it records, and with no others. All are unknown below FIRST_LOAD_DAYS days.
    """
    hours = np.where(known, _daily_sums(loads.hours, loads.day - first_day, len(known)), np.nan)
    columns = {"training_hours_21d": _lately(hours), "training_hours_mean": _so_far(hours)}
    sessions = [np.where(complete, _sessions(loads, name, first_day, len(known)), np.nan) for name in SPORTS]
    for name, rate in (("sport_sessions_21d", _lately), ("sport_sessions_mean", _so_far)):
        running, cycling = (rate(daily) for daily in sessions)
        columns[name] = np.where(sport == "running", running, cycling)
    return columns


def recency(loads: Loads, sport: npt.NDArray[np.str_], first_day: int, complete: Flags) -> dict[str, Floats]:
    """Days since the last activity, and since the last one of `sport`, on days whose activities are `complete`."""
    running, cycling = (
        _days_since(loads.day[loads.family == FAMILIES.index(name)], first_day, len(complete)) for name in SPORTS
    )
    columns = {
        "days_since_activity": _days_since(loads.day, first_day, len(complete)),
        "days_since_sport": np.where(sport == "running", running, cycling),
    }
    return {name: np.where(complete, values, np.nan) for name, values in columns.items()}


def _weighted(load: Floats, time_constant_days: int) -> Floats:
    alpha = 1.0 - np.exp(-1.0 / time_constant_days)
    weighted: Floats = pd.Series(load).ewm(alpha=alpha, adjust=True, min_periods=FIRST_LOAD_DAYS).mean().to_numpy()
    return weighted


def _days_before(values: Floats, days: int) -> Floats:
    """The value of so many days before each; NaN for the first ones."""
    return np.concatenate([np.full(min(days, len(values)), np.nan), values[:-days]])


def _daily_sums(values: Floats, position: Days, count: int) -> Floats:
    """Sums at each of `count` positions, 0 where there is nothing; pandas' sum, which loses no digits on the way."""
    sums = np.zeros(count)
    found = pd.Series(values).groupby(position).sum()
    sums[found.index.to_numpy(dtype=np.int64)] = found.to_numpy()
    return sums


def _sessions(loads: Loads, sport: str, first_day: int, count: int) -> Floats:
    days = loads.day[loads.family == FAMILIES.index(sport)]
    return np.bincount(days - first_day, minlength=count).astype(float)


def _lately(daily: Floats) -> Floats:
    weekly: Floats = 7.0 * pd.Series(daily).rolling(VOLUME_DAYS, min_periods=FIRST_LOAD_DAYS).mean().to_numpy()
    return weekly


def _so_far(daily: Floats) -> Floats:
    weekly: Floats = 7.0 * pd.Series(daily).expanding(FIRST_LOAD_DAYS).mean().to_numpy()
    return weekly


def _days_since(days: Days, first_day: int, count: int) -> Floats:
    last = last_position(is_among(days, first_day, count))
    return np.where(last >= 0, np.arange(count) - last, np.nan)
