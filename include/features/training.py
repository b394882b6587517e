"""What the activities of one athlete say of each day: load averages, volume, and how long ago the last one was.

`loads` is the table of include.features.load; `known` says of each day whether its load is known
(include.features.traces): unknown days are left out, not counted as rest.
"""

import numpy as np
import pandas as pd

from include.features.readings import SPORTS

LOAD_TIME_CONSTANTS_DAYS = (7, 14, 28, 42)
FIRST_LOAD_DAYS = 7
"""Averages are unknown for the first week: a single activity is no average."""
VOLUME_DAYS = 21


def load_averages(loads: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """Exponentially weighted loads a day over the known days, what they are made of, and their mean so far."""
    index = known.index
    daily = loads.groupby(["day", "source"])["load"].sum().unstack("source")
    daily = daily.reindex(index=index, columns=["measured", "trimp", "duration"]).fillna(0.0)[known]
    total = daily.sum(axis=1)
    frame = pd.DataFrame(index=daily.index)
    for days in LOAD_TIME_CONSTANTS_DAYS:
        frame[f"load_{days}d"] = _weighted(total, days)
    frame["load_balance"] = frame["load_42d"] - frame["load_7d"]
    frame["load_ramp_7d"] = frame["load_42d"] - frame["load_42d"].shift(7)
    frame["load_mean"] = total.expanding(FIRST_LOAD_DAYS).mean()
    positive = frame["load_42d"].where(frame["load_42d"] > 0)
    for source in ("measured", "trimp"):
        frame[f"load_{source}_share"] = (_weighted(daily[source], 42) / positive).clip(0.0, 1.0)
    return frame.reindex(index)


def volume(loads: pd.DataFrame, sport: np.ndarray, known: pd.Series, complete: pd.Series) -> pd.DataFrame:
    """Hours of training a week over the known days, and recorded sessions a week of `sport`: lately and so far.

    Lately is the last VOLUME_DAYS. Sessions are counted over all days whose activities are `complete`: the watch's
    estimate moves with the sessions that it records, and with no others. All are unknown below FIRST_LOAD_DAYS days.
    """
    index = pd.DatetimeIndex(known.index)
    hours = loads.groupby("day")["hours"].sum().reindex(index).fillna(0.0).where(known)
    columns = {"training_hours_21d": _lately(hours), "training_hours_mean": _so_far(hours)}
    for name, rate in (("sport_sessions_21d", _lately), ("sport_sessions_mean", _so_far)):
        running, cycling = (rate(_sessions(loads, one, index).where(complete)) for one in SPORTS)
        columns[name] = running.where(sport == "running", cycling)
    return pd.DataFrame(columns, index=index)


def recency(loads: pd.DataFrame, sport: np.ndarray, index: pd.DatetimeIndex) -> pd.DataFrame:
    """Days since the last activity, and since the last one of `sport`."""
    same = {name: _days_since(loads.loc[loads["family"] == name, "day"], index) for name in SPORTS}
    return pd.DataFrame(
        {
            "days_since_activity": _days_since(loads["day"], index),
            "days_since_sport": np.where(sport == "running", same["running"], same["cycling"]),
        },
        index=index,
    )


def _weighted(load: pd.Series, time_constant_days: int) -> pd.Series:
    alpha = 1.0 - np.exp(-1.0 / time_constant_days)
    weighted: pd.Series = load.ewm(alpha=alpha, adjust=True, min_periods=FIRST_LOAD_DAYS).mean()
    return weighted


def _sessions(loads: pd.DataFrame, sport: str, index: pd.DatetimeIndex) -> pd.Series:
    return loads.loc[loads["family"] == sport, "day"].value_counts().reindex(index).fillna(0.0)


def _lately(daily: pd.Series) -> pd.Series:
    weekly: pd.Series = 7.0 * daily.rolling(VOLUME_DAYS, min_periods=FIRST_LOAD_DAYS).mean()
    return weekly


def _so_far(daily: pd.Series) -> pd.Series:
    weekly: pd.Series = 7.0 * daily.expanding(FIRST_LOAD_DAYS).mean()
    return weekly


def _days_since(days: pd.Series, index: pd.DatetimeIndex) -> np.ndarray:
    position = np.arange(len(index), dtype=float)
    last = pd.Series(np.where(index.isin(days), position, np.nan)).ffill().to_numpy()
    return position - last
