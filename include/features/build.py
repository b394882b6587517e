"""Tables -> one row per athlete and day, from what was known at the end of that day and nothing later."""

from typing import Protocol

import numpy as np
import pandas as pd

from include.features.load import activity_loads
from include.features.readings import SPORTS, one_series, reading_features
from include.features.schema import COLUMNS, EVENT_TIME, NAMES, RECORD_ID, SPORT
from include.features.traces import lacks_activities, load_is_known
from include.features.training import load_averages, recency, volume

_WEIGHT_VALID_DAYS = 30


class Tables(Protocol):
    """The curated tables (activities, days, vo2max) of one or more athletes."""

    @property
    def activities(self) -> pd.DataFrame: ...
    @property
    def days(self) -> pd.DataFrame: ...
    @property
    def vo2max(self) -> pd.DataFrame: ...


def build_features(tables: Tables) -> pd.DataFrame:
    """One row per athlete and day, from the first reading or activity to the last day of data; columns of the schema.

    The series of a day is the sport (running or cycling) with most readings up to that day, running when equal.
    An athlete without readings and activities has no rows. A row before the first reading has no `vo2max_last`.
    """
    parts = [frame for frame in (tables.activities, tables.days, tables.vo2max) if len(frame)]
    athletes = sorted({str(athlete) for frame in parts for athlete in frame[RECORD_ID].unique()})
    rows = [
        _athlete_rows(athlete, *(_of(frame, athlete) for frame in (tables.activities, tables.days, tables.vo2max)))
        for athlete in athletes
    ]
    rows = [frame for frame in rows if len(frame)]
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype="float64" if name in NAMES else "object") for name in COLUMNS})
    return pd.concat(rows, ignore_index=True)


def daily_load(tables: Tables, athlete_id: str) -> pd.Series:
    """Training load of one athlete by day (`YYYY-MM-DD`), only days with an activity."""
    days = _of(tables.days, athlete_id)
    loads = activity_loads(_of(tables.activities, athlete_id), _daily(days, "resting_hr_bpm").dropna())
    by_day = loads.groupby("day")["load"].sum()
    by_day.index = pd.DatetimeIndex(by_day.index).strftime("%Y-%m-%d")
    return by_day


def _of(frame: pd.DataFrame, athlete_id: str) -> pd.DataFrame:
    rows = frame[frame[RECORD_ID].astype(str) == athlete_id].copy()
    rows["day"] = pd.to_datetime(rows["day"]).dt.normalize()
    return rows


def _athlete_rows(athlete_id: str, activities: pd.DataFrame, days: pd.DataFrame, vo2max: pd.DataFrame) -> pd.DataFrame:
    starts = pd.concat([activities["day"], vo2max["day"]])
    if starts.empty:
        return pd.DataFrame()
    index = pd.date_range(starts.min(), max(starts.max(), days["day"].max() if len(days) else starts.max()), freq="D")
    resting = _daily(days, "resting_hr_bpm")
    loads = activity_loads(activities, resting.dropna())
    series = {sport: one_series(vo2max, sport) for sport in SPORTS}
    sport = _series_sport(series, index)
    lacking = lacks_activities(index, activities, vo2max)
    known = load_is_known(index, activities, days, vo2max) & ~lacking
    columns = [
        _choose({name: reading_features(series[name], index) for name in SPORTS}, sport),
        load_averages(loads, known),
        volume(loads, sport, known, ~lacking),
        recency(loads, sport, index)[~lacking].reindex(index),
        _body(resting, _daily(days, "hrv_ms"), _daily(days, "weight_kg"), index),
    ]
    rows = pd.concat(columns, axis=1)
    rows["history_days"] = np.arange(len(index), dtype=float)
    rows[RECORD_ID] = athlete_id
    rows[EVENT_TIME] = index.strftime("%Y-%m-%dT00:00:00Z")
    rows[SPORT] = sport
    return rows[list(COLUMNS)].reset_index(drop=True)


def _daily(days: pd.DataFrame, column: str) -> pd.Series:
    """A column of the days table by day (the last row of a day counts), zeros and negatives as unknown."""
    rows = days.drop_duplicates("day", keep="last").sort_values("day")
    values = pd.to_numeric(rows[column], errors="coerce").astype(float)
    return pd.Series(values.where(values > 0).to_numpy(), index=pd.DatetimeIndex(rows["day"]))


def _series_sport(series: dict[str, pd.DataFrame], index: pd.DatetimeIndex) -> np.ndarray:
    running, cycling = (
        np.searchsorted(series[sport].index.to_numpy(), index.to_numpy(), side="right") for sport in SPORTS
    )
    return np.where(cycling > running, "cycling", "running")


def _choose(by_sport: dict[str, pd.DataFrame], sport: np.ndarray) -> pd.DataFrame:
    running, cycling = (by_sport[name] for name in SPORTS)
    return running.where(pd.Series(sport == "running", index=running.index), cycling, axis=0)


def _body(resting: pd.Series, hrv: pd.Series, weight: pd.Series, index: pd.DatetimeIndex) -> pd.DataFrame:
    frame = pd.DataFrame(index=index)
    for name, daily in (("resting_hr", resting), ("hrv", hrv)):
        by_day = daily.reindex(pd.DatetimeIndex(np.union1d(index.to_numpy(), daily.index.to_numpy())))
        week = by_day.rolling("7D", min_periods=3).mean()
        frame[f"{name}_7d"] = week.reindex(index)
        frame[f"{name}_7d_vs_60d"] = (week - by_day.rolling("60D", min_periods=14).mean()).reindex(index)
    frame["weight_kg"] = weight.reindex(index).ffill(limit=_WEIGHT_VALID_DAYS)
    return frame
