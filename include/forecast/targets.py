"""Origins and targets: from feature rows alone to (origin, realised lag, change from the last reading)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.offline_keys import OfflineKeys
from include.features.origins import ORIGIN_AGES_DAYS
from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SCHEMA_VERSION, SPORT
from include.features.training import FIRST_LOAD_DAYS
from include.forecast.horizon import MAX_LAG_DAYS, Array
from include.forecast.rows import Pairs, Rows, concatenate

HORIZONS_DAYS = (1, 2, 3, 5, 7, 10, 14, 18, 21, 25, 28, 32, 35, 39, 42)
TOLERANCE_DAYS = 3
LEVEL_RATIO = 0.1
"""Variance that the level gains in a day, over the variance of a reading about it (local level, baseline)."""
LEAST_KNOWN_SHARE = 0.8
"""The load ahead is known where it is on so many of the days."""
MOST_ORIGINS = 20_000
"""Days that an origins document may have: half a century of readings."""
_LOAD_KEEP = float(np.exp(-1.0 / 7.0))
_WARM_UP_DAYS = 42 - FIRST_LOAD_DAYS


@dataclass(frozen=True)
class _Series:
    """One athlete and sport by day; `load` is NaN on days on which it is not known."""

    frame: pd.DataFrame
    day: npt.NDArray[np.int64]
    load: Array


def make_rows(features: pd.DataFrame) -> Rows:
    """All origin–target rows of a feature frame, by athlete, origin and lag.

    A target is the reading nearest to origin + h (within TOLERANCE_DAYS) for h in HORIZONS_DAYS; each reading serves an
    origin once, with the lag realised. Days between readings are never targets, and a series never mixes sports.
    """
    parts = []
    for _, athlete in features.groupby(RECORD_ID, sort=True):
        frame = athlete.sort_values(EVENT_TIME, kind="stable")
        load = daily_load(frame["load_7d"].to_numpy(dtype=float))
        known = frame["vo2max_last"].notna().to_numpy()
        for _, series in frame[known].assign(_load=load[known]).groupby(SPORT, sort=True):
            parts.append(_series_rows(_Series(series, _days(series).astype(np.int64), series["_load"].to_numpy())))
    if not parts:
        empty = features.iloc[:0]
        return _gather(_Series(empty, np.zeros(0, np.int64), np.zeros(0)), *(np.zeros(0, np.int64),) * 2, np.zeros(0))
    rows = concatenate(parts)
    return rows.where(np.lexsort((rows.horizon_days, rows.origin_day, rows.athlete)))


def origin_rows(document: Mapping[str, Any]) -> Rows:
    """The rows that `make_rows` makes of the features in an origins document, but the load ahead, which it lacks.

    Raises:
        ValueError: the document is of another feature schema, or its days and rows do not fit together.
    """
    try:
        if document["schema_version"] != SCHEMA_VERSION or list(document["features"]) != list(NAMES):
            raise ValueError(f"it is of feature schema {document['schema_version']}, this model of {SCHEMA_VERSION}")
        days, sports = list(document["days"]), list(document["sports"])
        values = np.array(document["rows"], dtype=float).reshape(-1, len(NAMES))
        if not len(days) == len(sports) == len(values) or len(days) > MOST_ORIGINS:
            raise ValueError(f"it has {len(days)} days, {len(sports)} sports and {len(values)} rows")
        frame = pd.DataFrame(values, columns=list(NAMES))
        frame.insert(0, SPORT, sports)
        frame.insert(0, EVENT_TIME, [f"{date.fromisoformat(day)}T00:00:00Z" for day in days])
        frame.insert(0, RECORD_ID, "")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"history is no origins document: {error}") from error
    rows = make_rows(frame)
    return replace(rows, load_ahead=np.full(len(rows), np.nan))


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


def level_gaps(day: npt.NDArray[np.int64], reading: Array) -> Array:
    """Local level less reading at each reading: the exact Kalman filter of a random walk seen with noise."""
    level, variance, gaps, before = float(reading[0]), 1.0, [], int(day[0])
    for today, value in zip(day.tolist(), reading.tolist(), strict=True):
        variance += LEVEL_RATIO * (today - before)
        gain = variance / (variance + 1.0)
        level += gain * (value - level)
        variance *= 1.0 - gain
        gaps.append(level - value)
        before = today
    return np.array(gaps)


def reading_pairs(day: npt.NDArray[np.int64], age_days: Array) -> npt.NDArray[np.int64]:
    """Positions of origin and target of each row of one athlete and sport, by origin and target.

    Args:
        day: the days of the series, in order.
        age_days: how old the last reading is on each of them.
    """
    origin = np.flatnonzero(np.isin(age_days, ORIGIN_AGES_DAYS))
    reading = np.flatnonzero(age_days == 0)
    if not len(reading) or not len(origin):
        return np.zeros((0, 2), dtype=np.int64)
    wanted = day[origin][:, None] + np.array(HORIZONS_DAYS)[None, :]
    after = np.clip(np.searchsorted(day[reading], wanted), 0, len(reading) - 1)
    before = np.clip(after - 1, 0, None)
    is_after = np.abs(day[reading][after] - wanted) <= np.abs(day[reading][before] - wanted)
    target = reading[np.where(is_after, after, before)]
    lag = day[target] - day[origin][:, None]
    usable = (np.abs(day[target] - wanted) <= TOLERANCE_DAYS) & (lag >= 1) & (lag <= MAX_LAG_DAYS)
    # One number a pair: to find equal pairs as rows of two takes many times as long.
    pair = np.unique((origin[:, None] * len(day) + target)[usable])
    return np.column_stack(np.divmod(pair, len(day)))


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


def _series_rows(series: _Series) -> Rows:
    age, day = series.frame["reading_age_days"].to_numpy(dtype=float), series.day
    pairs = reading_pairs(day, age)
    if not len(pairs):
        return _gather(series, *(np.zeros(0, np.int64),) * 2, np.zeros(0))
    reading = np.flatnonzero(age == 0)
    gaps = level_gaps(day[reading], series.frame["vo2max_last"].to_numpy(dtype=float)[reading])
    latest = np.maximum(np.searchsorted(reading, pairs[:, 0], side="right") - 1, 0)
    return _gather(series, pairs[:, 0], pairs[:, 1], gaps[latest])


def _days(frame: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    return frame[EVENT_TIME].str[:10].to_numpy(dtype="datetime64[D]")


def _load_ahead(series: _Series, origin: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> Array:
    known = ~np.isnan(series.load)
    total = np.cumsum(np.where(known, series.load, 0.0))
    count = np.cumsum(known)
    days, lag = count[target] - count[origin], series.day[target] - series.day[origin]
    ahead: Array = np.where(
        days >= LEAST_KNOWN_SHARE * lag, (total[target] - total[origin]) / np.maximum(days, 1), np.nan
    )
    return ahead


def _gather(series: _Series, origin: npt.NDArray[np.int64], target: npt.NDArray[np.int64], level_gap: Array) -> Rows:
    frame, day = series.frame, _days(series.frame)
    last = frame["vo2max_last"].to_numpy(dtype=float)
    return Rows(
        athlete=frame[RECORD_ID].to_numpy(dtype=str)[origin],
        origin_day=day[origin],
        target_day=day[target],
        horizon_days=(day[target] - day[origin]).astype(float),
        features=frame[list(NAMES)].to_numpy(dtype=float)[origin],
        change=last[target] - last[origin],
        load_ahead=_load_ahead(series, origin, target) if len(origin) else np.zeros(0),
        level_gap=level_gap,
    )
