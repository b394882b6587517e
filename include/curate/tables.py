"""The three tables: columns, dtypes, and frames of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    "device": _TEXT,
}
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
VO2MAX_SPORTS = ("running", "cycling")


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

    def frames(self) -> dict[str, pd.DataFrame]:
        return {"activities": self.activities, "days": self.days, "vo2max": self.vo2max}


def empty_tables() -> Tables:
    """Tables without rows, with the right columns and dtypes."""
    return Tables(activities=to_frame("activities", []), days=to_frame("days", []), vo2max=to_frame("vo2max", []))


def to_frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a sorted frame with exactly the table's columns; a value of the wrong type becomes unknown."""
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS[table]}
    frame = pd.DataFrame({name: typed(columns[name], kind) for name, kind in COLUMNS[table].items()})
    return sort_rows(table, frame)


def sort_rows(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(SORT[table]), kind="stable", na_position="last").reset_index(drop=True)


def typed(values: Sequence[Any] | pd.Series, kind: str) -> pd.Series:
    """`values` in the dtype that the table holds them in."""
    series = pd.Series(values, dtype="object")
    if kind == _NUMBER:
        return pd.to_numeric(series, errors="coerce").astype("float64")
    if kind == _TEXT:
        return pd.Series([None if pd.isna(value) else value for value in series], index=series.index, dtype="object")
    if kind == _FLAG:
        return series.map({True: True, "True": True}).eq(True)
    times = pd.to_datetime(series, errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)
    times = times.astype("datetime64[ns]")
    return times.dt.normalize() if kind == _DAY else times
