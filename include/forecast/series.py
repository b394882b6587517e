"""One athlete's series in one sport: from days with features to origins and targets, as arrays.

Without pandas: the endpoint makes an athlete's past with it, and has to answer soon after it starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from include.features.origins import ORIGIN_AGES_DAYS
from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast.horizon import MAX_LAG_DAYS, Array
from include.forecast.rows import Rows, concatenate

HORIZONS_DAYS = (1, 2, 3, 5, 7, 10, 14, 18, 21, 25, 28, 32, 35, 39, 42)
TOLERANCE_DAYS = 3
LEVEL_RATIO = 0.1
"""Variance that the level gains in a day, over the variance of a reading about it (local level, baseline)."""
LEAST_KNOWN_SHARE = 0.8
"""The load ahead is known where it is on so many of the days."""
MOST_ORIGINS = 20_000
"""Days that an origins document may have: half a century of readings."""
_LAST_READING, _AGE = NAMES.index("vo2max_last"), NAMES.index("reading_age_days")


@dataclass(frozen=True)
class Series:
    """The days on which an athlete has a reading in one sport, in order.

    Attributes:
        day: since 1970-01-01.
        features: of each day, in schema order.
        load: of each day alone, NaN where it is not known.
    """

    athlete: str
    day: npt.NDArray[np.int64]
    features: Array
    load: Array


def series_rows(series: Series) -> Rows:
    """Its origin–target rows, by origin and target."""
    age, last = series.features[:, _AGE], series.features[:, _LAST_READING]
    pairs = reading_pairs(series.day, age)
    origin, target = pairs[:, 0], pairs[:, 1]
    gap = np.zeros(0)
    if len(pairs):
        reading = np.flatnonzero(age == 0)
        gaps = level_gaps(series.day[reading], last[reading])
        gap = gaps[np.maximum(np.searchsorted(reading, origin, side="right") - 1, 0)]
    day = series.day.astype("datetime64[D]")
    return Rows(
        athlete=np.full(len(pairs), series.athlete),
        origin_day=day[origin],
        target_day=day[target],
        horizon_days=(series.day[target] - series.day[origin]).astype(float),
        features=series.features[origin],
        change=last[target] - last[origin],
        load_ahead=_load_ahead(series, origin, target),
        level_gap=gap,
    )


def gather(parts: list[Rows]) -> Rows:
    """All rows of the parts, by athlete, origin and lag."""
    if not parts:
        nothing = np.zeros(0)
        return series_rows(Series("", nothing.astype(np.int64), np.zeros((0, len(NAMES))), nothing))
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
        days, sports = list(document["days"]), [str(sport) for sport in document["sports"]]
        features = np.array(document["rows"], dtype=float).reshape(-1, len(NAMES))
        if not len(days) == len(sports) == len(features) or len(days) > MOST_ORIGINS:
            raise ValueError(f"it has {len(days)} days, {len(sports)} sports and {len(features)} rows")
        day = np.array([(date.fromisoformat(text) - date(1970, 1, 1)).days for text in days], dtype=np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"history is no origins document: {error}") from error
    order = np.argsort(day, kind="stable")
    parts, has_reading = [], ~np.isnan(features[:, _LAST_READING])
    for sport in sorted(set(sports)):
        own = order[(np.array(sports)[order] == sport) & has_reading[order]]
        parts.append(series_rows(Series("", day[own], features[own], np.full(len(own), np.nan))))
    return gather(parts)


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


def _load_ahead(series: Series, origin: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> Array:
    known = ~np.isnan(series.load)
    total = np.cumsum(np.where(known, series.load, 0.0))
    count = np.cumsum(known)
    days, lag = count[target] - count[origin], series.day[target] - series.day[origin]
    ahead: Array = np.where(
        days >= LEAST_KNOWN_SHARE * lag, (total[target] - total[origin]) / np.maximum(days, 1), np.nan
    )
    return ahead
