"""What the readings of one series (one athlete, one sport) say on each day."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.features.days import UNKNOWN_DAY, Days, Floats, day_numbers, flags, held, numbers

SPORTS = ("running", "cycling")
VOLATILITY_LAG_DAYS = 28
VOLATILITY_TOLERANCE_DAYS = 7
NUMBERS_OF_READINGS = ("readings", "reading_pairs")
"""Features that are 0 before the first reading; all others are unknown then."""
_EVER_DAYS = 1_000_000


@dataclass(frozen=True)
class Series:
    """The readings of one athlete and sport, one a day, by day.

    Attributes:
        day: days since 1970-01-01.
        vo2max: the reading.
        activity_vo2max: what an activity of the day told by itself, NaN where none did.
    """

    day: Days
    vo2max: Floats
    activity_vo2max: Floats


def one_series(vo2max: pd.DataFrame, sport: str) -> Series:
    """Readings of a sport by day, one a day: the precise one where there is one, else the last listed."""
    day, value = day_numbers(vo2max["day"]), numbers(vo2max["vo2max"])
    rows = np.flatnonzero((vo2max["sport"] == sport).to_numpy(dtype=bool) & (value > 0) & (day != UNKNOWN_DAY))
    rows = rows[np.lexsort((flags(vo2max["is_precise"])[rows], day[rows]))]
    rows = rows[np.append(day[rows][1:] != day[rows][:-1], True)] if len(rows) else rows
    return Series(day[rows], value[rows], numbers(vo2max["activity_vo2max"])[rows])


def reading_features(series: Series) -> dict[str, Floats]:
    """The reading features as they stand after each reading of the series.

    `reading_day`, the day of the reading, stands in the place of `reading_age_days`: the age grows from day to day.
    """
    at, value, number = series.day, series.vo2max, np.arange(1.0, len(series.day) + 1.0)
    activity_gap = held(series.activity_vo2max - value)
    activity_gap = np.where(np.isnan(activity_gap), 0.0, activity_gap)
    pairs, volatility = _volatility(at, value)
    return {
        "vo2max_last": value,
        "reading_step": np.diff(value, prepend=value[:1]),
        "reading_activity_gap": activity_gap,
        "reading_activity_gap_mean": np.cumsum(activity_gap) / number,
        "reading_mean_30d_gap": _window_mean(at, value, 30) - value,
        "reading_mean_90d_gap": _window_mean(at, value, 90) - value,
        "reading_mean_all_gap": _window_mean(at, value, _EVER_DAYS) - value,
        "reading_volatility": volatility,
        "reading_pairs": pairs.astype(float),
        "readings": number,
        "reading_history_days": (at - at[0] if len(at) else at).astype(float),
        "reading_day": at.astype(float),
    }


def daily_reading_features(series: dict[str, Series], sport: np.ndarray, today: Days) -> dict[str, Floats]:
    """The reading features of every day, from the readings of the day's sport up to and including that day.

    Args:
        series: by sport of SPORTS.
        sport: the sport of each day.
        today: the days.
    """
    tables = [reading_features(series[name]) for name in SPORTS]
    # Row 0 is that of a day before the first reading; the series follow it, one after the other.
    row, first_row = np.zeros(len(today), dtype=np.int64), 1
    for name in SPORTS:
        latest = np.searchsorted(series[name].day, today, side="right") - 1
        row = np.where((sport == name) & (latest >= 0), first_row + latest, row)
        first_row += len(series[name].day)
    columns = {}
    for name in tables[0]:
        before = 0.0 if name in NUMBERS_OF_READINGS else np.nan
        columns[name] = np.concatenate([[before], *(table[name] for table in tables)])[row]
    columns["reading_age_days"] = today - columns.pop("reading_day")
    return columns


def _window_mean(at: Days, value: Floats, days: int) -> Floats:
    """Mean of the readings in the `days` days that end with each reading."""
    total = np.concatenate([[0.0], np.cumsum(value)])
    first = np.searchsorted(at, at - days, side="right")
    last = np.arange(1, len(at) + 1)
    mean: Floats = (total[last] - total[first]) / np.maximum(last - first, 1)
    return mean


def _volatility(at: Days, value: Floats) -> tuple[Days, Floats]:
    """Number of pairs so far, and mean absolute change over them; a pair is a reading with the one ~28 d before."""
    if not len(at):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    wanted = at - VOLATILITY_LAG_DAYS
    after = np.clip(np.searchsorted(at, wanted), 0, len(at) - 1)
    before = np.clip(after - 1, 0, None)
    partner = np.where(np.abs(at[after] - wanted) <= np.abs(at[before] - wanted), after, before)
    is_pair = np.abs(at[partner] - wanted) <= VOLATILITY_TOLERANCE_DAYS
    pairs = np.cumsum(is_pair)
    changes = np.cumsum(np.where(is_pair, np.abs(value - value[partner]), 0.0))
    return pairs, np.divide(changes, pairs, out=np.full(len(at), np.nan), where=pairs > 0)
