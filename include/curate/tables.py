"""The three tables: columns, dtypes, and frames of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

_NUMBER, _TEXT, _DAY, _TIME, _FLAG = "float64", "text", "day", "time", "flag"

ACTIVITIES = {
    "athlete_id": _TEXT,
    "activity_id": _TEXT,
    "started_at_utc": _TIME,
    "day": _DAY,
    "sport": _TEXT,
    "duration_s": _NUMBER,
    "distance_m": _NUMBER,
    "elevation_gain_m": _NUMBER,
    "avg_speed_mps": _NUMBER,
    "avg_hr_bpm": _NUMBER,
    "max_hr_bpm": _NUMBER,
    "avg_power_w": _NUMBER,
    "energy_kcal": _NUMBER,
    "training_load": _NUMBER,
    "aerobic_te": _NUMBER,
    "anaerobic_te": _NUMBER,
    **{f"hr_zone_{zone}_s": _NUMBER for zone in range(1, 6)},
    "is_manual": _FLAG,
    "parent_id": _TEXT,
    "source": _TEXT,
}
DAYS = {
    "athlete_id": _TEXT,
    "day": _DAY,
    "resting_hr_bpm": _NUMBER,
    "hrv_ms": _NUMBER,
    "sleep_s": _NUMBER,
    "stress_avg": _NUMBER,
    "body_battery_max": _NUMBER,
    "body_battery_min": _NUMBER,
    "steps": _NUMBER,
    "weight_kg": _NUMBER,
}
VO2MAX = {
    "athlete_id": _TEXT,
    "day": _DAY,
    "sport": _TEXT,
    "vo2max": _NUMBER,
    "is_precise": _FLAG,
    "activity_vo2max": _NUMBER,
    "device": _TEXT,
}
LATER_COLUMNS = frozenset({"activity_vo2max"})
"""Columns that files written before them lack; there they are unknown."""
COLUMNS: Mapping[str, Mapping[str, str]] = {"activities": ACTIVITIES, "days": DAYS, "vo2max": VO2MAX}
KEYS: Mapping[str, tuple[str, ...]] = {
    "activities": ("athlete_id", "activity_id"),
    "days": ("athlete_id", "day"),
    "vo2max": ("athlete_id", "day", "sport"),
}
SORT: Mapping[str, tuple[str, ...]] = {
    "activities": ("day", "started_at_utc", "activity_id"),
    "days": ("day",),
    "vo2max": ("day", "sport"),
}
SPORTS = ("running", "cycling", "swimming", "walking", "hiking", "strength", "multisport", "other")
VO2MAX_SPORTS = ("running", "cycling", "walking")


@dataclass(frozen=True)
class Evidence:
    """What the documents told of rows that the tables do not hold."""

    months_read: Mapping[str, frozenset[str]]
    """By table, the months of which a document told anything."""
    month_of_activity: Mapping[str, str]
    """The month of every activity, also before the first one that the tables hold; GONE for one that is left out."""
    left_out: Mapping[str, pd.DataFrame]
    """By table, rows whose date cannot be true, with a `reason`; tables without any are absent."""


GONE = ""


@dataclass(frozen=True)
class Tables:
    """The tables of one athlete, and what was done to get them.

    `day` is `datetime64[ns]` at midnight without time zone, `started_at_utc` likewise in UTC; ids and sports are
    strings (None: unknown), flags are bool, all else is float64 with NaN for unknown.
    """

    activities: pd.DataFrame
    days: pd.DataFrame
    vo2max: pd.DataFrame
    mends: Mapping[str, int] = field(default_factory=dict)
    """How many values each named rule mended or dropped (`calories_kj_to_kcal`: 1794)."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """How many documents or items could not be used, by reason."""
    items_read: int = 0
    """How many activities, days and readings the documents told, before they were merged."""
    since_month: str | None = None
    """The first month (`YYYY-MM`) that the tables hold; None: all there is."""
    evidence: Evidence | None = None
    """None for tables that were not just made of documents."""

    def frames(self) -> dict[str, pd.DataFrame]:
        return {"activities": self.activities, "days": self.days, "vo2max": self.vo2max}


def empty_tables(since_month: str | None = None) -> Tables:
    """Tables without rows, with the right columns and dtypes."""
    activities, days, vo2max = (to_frame(table, []) for table in COLUMNS)
    return Tables(activities, days, vo2max, since_month=since_month)


def to_frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a sorted frame with exactly the table's columns; days and times are ISO text."""
    columns = {name: _column([row.get(name) for row in rows], kind) for name, kind in COLUMNS[table].items()}
    return sort_rows(table, pd.DataFrame(columns))


def sort_rows(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(SORT[table]), kind="stable", na_position="last").reset_index(drop=True)


def _column(values: list[Any], kind: str) -> pd.Series:
    """None is unknown."""
    if kind == _NUMBER:
        return pd.Series(np.array(values, dtype=np.float64))
    if kind == _TEXT:
        return pd.Series(values, dtype="object")
    if kind == _FLAG:
        return pd.Series([value is True for value in values], dtype=bool)
    if kind == _DAY:
        return pd.Series(np.array(values, dtype="datetime64[D]").astype("datetime64[ns]"))
    return typed(pd.Series(values, dtype="object"), kind)


def typed(series: pd.Series, kind: str) -> pd.Series:
    """Text in the dtype that the table holds it in."""
    if kind == _NUMBER:
        return pd.to_numeric(series, errors="coerce").astype("float64")
    if kind == _TEXT:
        return pd.Series([None if pd.isna(value) else value for value in series], index=series.index, dtype="object")
    if kind == _FLAG:
        return series.map({True: True, "True": True}).eq(True)
    times = pd.to_datetime(series, errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)
    times = times.astype("datetime64[ns]")
    return times.dt.normalize() if kind == _DAY else times
