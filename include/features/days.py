"""Columns of the curated tables as arrays, their days as whole numbers: days since 1970-01-01."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Days = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNKNOWN_DAY = np.iinfo(np.int64).min
"""The number of a row without a day."""


def day_numbers(days: pd.Series) -> Days:
    """The day of each row; UNKNOWN_DAY where it has none."""
    moments = days if days.dtype.kind == "M" else pd.to_datetime(days)
    return moments.to_numpy().astype("datetime64[D]").astype(np.int64)


def to_index(days: Days) -> pd.DatetimeIndex:
    """The days as pandas wants them for windows in time."""
    return pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[ns]"))


def numbers(column: pd.Series) -> Floats:
    """The numbers of a column; NaN where there is none, or no number."""
    values = column if column.dtype == np.float64 else pd.to_numeric(column, errors="coerce").astype(float)
    return np.asarray(values, dtype=np.float64)


def flags(column: pd.Series) -> Flags:
    """Whether a column says yes, as the truth value or as the text that a CSV file has of it."""
    if column.dtype == bool:
        return column.to_numpy()
    return np.array([str(value).lower() in ("true", "1", "1.0") for value in column], dtype=bool)


def last_position(happens: Flags) -> Days:
    """Position of the last day on which it happened, on each day; far in the past where it never did."""
    return np.maximum.accumulate(np.where(happens, np.arange(len(happens)), -1_000_000))


def held(values: Floats, most_days: int | None = None) -> Floats:
    """Each day's value, else the last one known before, at most so many days old; NaN where there is none."""
    last = last_position(~np.isnan(values))
    is_held = last >= 0 if most_days is None else np.arange(len(values)) - last <= most_days
    return np.where(is_held & (last >= 0), values[np.maximum(last, 0)], np.nan)


def is_among(days: Days, first_day: int, count: int) -> Flags:
    """Which of the `count` days from `first_day` on are among `days`."""
    found = np.zeros(count, dtype=bool)
    position = days[(days >= first_day) & (days < first_day + count)] - first_day
    found[position] = True
    return found
