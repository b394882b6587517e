"""Origins and targets: from feature rows alone to (origin, realised lag, change from the last reading)."""

import numpy as np
import pandas as pd

from include.features.offline_keys import OfflineKeys
from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SPORT
from include.features.training import FIRST_LOAD_DAYS
from include.forecast.horizon import Array
from include.forecast.rows import Pairs, Rows
from include.forecast.series import Series, gather, reading_pairs, series_rows

_LOAD_KEEP = float(np.exp(-1.0 / 7.0))
_WARM_UP_DAYS = 42 - FIRST_LOAD_DAYS


def make_rows(features: pd.DataFrame) -> Rows:
    """All origin–target rows of a feature frame, by athlete, origin and lag.

    A target is the reading nearest to origin + h (within TOLERANCE_DAYS) for h in HORIZONS_DAYS; each reading serves an
    origin once, with the lag realised. Days between readings are never targets, and a series never mixes sports.
    """
    parts = []
    for name, athlete in features.groupby(RECORD_ID, sort=True):
        frame = athlete.sort_values(EVENT_TIME, kind="stable")
        day = frame[EVENT_TIME].str[:10].to_numpy(dtype="datetime64[D]").astype(np.int64)
        values, load = frame[list(NAMES)].to_numpy(dtype=float), daily_load(frame["load_7d"].to_numpy(dtype=float))
        sport, known = frame[SPORT].to_numpy(), frame["vo2max_last"].notna().to_numpy()
        for each in sorted(set(sport[known])):
            own = known & (sport == each)
            parts.append(series_rows(Series(str(name), day[own], values[own], load[own])))
    return gather(parts)


def daily_load(load_7d: Array) -> Array:
    """The training load of each day, from its exponentially weighted mean (time constant 7 d) on successive days.

    Unknown (NaN) where the mean is, and while its weights have not settled (the first six weeks).
    """
    known = np.flatnonzero(~np.isnan(load_7d))
    mean = load_7d[known]
    load = np.full(len(load_7d), np.nan)
    load[known[1:]] = np.maximum((mean[1:] - _LOAD_KEEP * mean[:-1]) / (1.0 - _LOAD_KEEP), 0.0)
    load[known[:_WARM_UP_DAYS]] = np.nan
    return load


def make_pairs(keys: OfflineKeys) -> Pairs:
    """Athlete, origin and target of all rows that `make_rows` would make of the features with these keys."""
    first = np.searchsorted(keys.athlete, np.arange(len(keys.athletes) + 1))
    parts = []
    for number in range(len(keys.athletes)):
        own = slice(first[number], first[number + 1])
        for sport in np.unique(keys.sport[own][keys.has_reading[own]]):
            chosen = keys.has_reading[own] & (keys.sport[own] == sport)
            day = keys.day[own][chosen]
            pairs = day[reading_pairs(day, keys.reading_age_days[own][chosen])]
            parts.append(np.column_stack([np.full(len(pairs), number), pairs]))
    rows = np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.int64)
    return Pairs(rows[:, 0], rows[:, 1].astype("datetime64[D]"), rows[:, 2].astype("datetime64[D]"))
