"""Origins and targets: from feature rows alone to (origin, realised lag, change from the last reading)."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SPORT
from include.forecast.horizon import MAX_LAG_DAYS
from include.forecast.rows import Rows

HORIZONS_DAYS = (1, 2, 3, 5, 7, 10, 14, 18, 21, 25, 28, 32, 35, 39, 42)
TOLERANCE_DAYS = 3
ORIGIN_AGES_DAYS = (0, 7, 14, 21)
"""An origin is a reading day, or a day this long after it: serving meets readings of such age too."""


def make_rows(features: pd.DataFrame) -> Rows:
    """All origin–target rows of a feature frame, by athlete, origin and lag.

    A target is the reading nearest to origin + h (within TOLERANCE_DAYS) for h in HORIZONS_DAYS; each reading serves an
    origin once, with the lag realised. Days between readings are never targets, and a series never mixes sports.
    """
    known = features[features["vo2max_last"].notna()]
    parts = [_series_rows(frame) for _, frame in known.groupby([RECORD_ID, SPORT], sort=True)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return _gather(known.iloc[:0], np.zeros(0, int), np.zeros(0, int))
    names = ("athlete", "origin_day", "target_day", "horizon_days", "features", "change")
    rows = Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return rows.where(np.lexsort((rows.horizon_days, rows.origin_day, rows.athlete)))


def _series_rows(frame: pd.DataFrame) -> Rows:
    frame = frame.sort_values(EVENT_TIME, kind="stable").reset_index(drop=True)
    day = _days(frame).astype(np.int64)
    age = frame["reading_age_days"].to_numpy()
    origin = np.flatnonzero(np.isin(age, ORIGIN_AGES_DAYS))
    reading = np.flatnonzero(age == 0)
    if not len(reading) or not len(origin):
        return _gather(frame, np.zeros(0, int), np.zeros(0, int))
    wanted = day[origin][:, None] + np.array(HORIZONS_DAYS)[None, :]
    after = np.clip(np.searchsorted(day[reading], wanted), 0, len(reading) - 1)
    before = np.clip(after - 1, 0, None)
    is_after = np.abs(day[reading][after] - wanted) <= np.abs(day[reading][before] - wanted)
    target = reading[np.where(is_after, after, before)]
    lag = day[target] - day[origin][:, None]
    usable = (np.abs(day[target] - wanted) <= TOLERANCE_DAYS) & (lag >= 1) & (lag <= MAX_LAG_DAYS)
    pairs = np.column_stack([np.broadcast_to(origin[:, None], target.shape)[usable], target[usable]])
    pairs = np.unique(pairs, axis=0)
    return _gather(frame, pairs[:, 0], pairs[:, 1])


def _days(frame: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    return frame[EVENT_TIME].str[:10].to_numpy(dtype="datetime64[D]")


def _gather(frame: pd.DataFrame, origin: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> Rows:
    day = _days(frame)
    last = frame["vo2max_last"].to_numpy(dtype=float)
    return Rows(
        athlete=frame[RECORD_ID].to_numpy(dtype=str)[origin],
        origin_day=day[origin],
        target_day=day[target],
        horizon_days=(day[target] - day[origin]).astype(float),
        features=frame[list(NAMES)].to_numpy(dtype=float)[origin],
        change=last[target] - last[origin],
    )
