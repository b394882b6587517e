"""Tables -> one row per athlete and day, from what was known at the end of that day and nothing later."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.days import (
    UNKNOWN_DAY,
    Days,
    Floats,
    day_numbers,
    held,
    is_among,
    numbers,
    to_index,
)
from include.features.load import Loads, activity_loads
from include.features.readings import SPORTS, Series, daily_reading_features, one_series
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


@dataclass(frozen=True)
class _Body:
    """What the watch measured at rest, one row a day, by day; NaN where it measured nothing."""

    day: Days
    resting_hr_bpm: Floats
    hrv_ms: Floats
    weight_kg: Floats


def build_features(tables: Tables) -> pd.DataFrame:
    """One row per athlete and day, from the first reading or activity to the last day of data; columns of the schema.

    The series of a day is the sport (running or cycling) with most readings up to that day, running when equal.
    An athlete without readings and activities has no rows. A row before the first reading has no `vo2max_last`.
    """
    rows = [_athlete_rows(athlete, *frames) for athlete, *frames in _by_athlete(tables)]
    rows = [frame for frame in rows if len(frame)]
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype="float64" if name in NAMES else "object") for name in COLUMNS})
    return rows[0] if len(rows) == 1 else pd.concat(rows, ignore_index=True)


def daily_load(tables: Tables, athlete_id: str) -> pd.Series:
    """Training load of one athlete by day (`YYYY-MM-DD`), only days with an activity."""
    loads = _loads(
        tables.activities[tables.activities[RECORD_ID].astype(str) == athlete_id],
        _body(tables.days[tables.days[RECORD_ID].astype(str) == athlete_id]),
    )
    by_day = pd.Series(loads.load, name="load").groupby(loads.day).sum()
    by_day.index = pd.Index(np.datetime_as_string(by_day.index.to_numpy(dtype="datetime64[D]")), name="day")
    return by_day


def _by_athlete(tables: Tables) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """The tables of each athlete, by name; each table is read once, however many athletes it has."""
    frames = (tables.activities, tables.days, tables.vo2max)
    positions = [_positions(frame) for frame in frames]
    for athlete in sorted(set().union(*positions)):
        activities, days, vo2max = (
            frame if len(where.get(athlete, ())) == len(frame) else frame.iloc[where.get(athlete, [])]
            for frame, where in zip(frames, positions, strict=True)
        )
        yield athlete, activities, days, vo2max


def _positions(frame: pd.DataFrame) -> dict[str, npt.NDArray[np.int64]]:
    """Positions of the rows of each athlete."""
    codes, athletes = pd.factorize(frame[RECORD_ID].to_numpy())
    if len({str(name) for name in athletes}) < len(athletes) or codes.min(initial=0) < 0:  # 7 and "7", or none at all
        codes, athletes = pd.factorize(frame[RECORD_ID].astype(str).to_numpy())
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.searchsorted(codes[order], np.arange(1, len(athletes))))
    return dict(zip((str(name) for name in athletes), parts, strict=False))


def _athlete_rows(athlete_id: str, activities: pd.DataFrame, days: pd.DataFrame, vo2max: pd.DataFrame) -> pd.DataFrame:
    active_day, reading_day = day_numbers(activities["day"]), day_numbers(vo2max["day"])
    starts = np.concatenate([active_day, reading_day])
    starts = starts[starts != UNKNOWN_DAY]
    if not len(starts):
        return pd.DataFrame()
    body = _body(days)
    first_day, last_day = int(starts.min()), int(max(starts.max(), body.day.max(initial=UNKNOWN_DAY)))
    today = np.arange(first_day, last_day + 1)
    is_active, has_body, has_reading = (
        is_among(found, first_day, len(today)) for found in (active_day, body.day, reading_day)
    )
    lacking = lacks_activities(is_active, has_reading)
    known = load_is_known(is_active, has_body, has_reading) & ~lacking
    loads = _loads(activities, body)
    series = {sport: one_series(vo2max, sport) for sport in SPORTS}
    sport = _series_sport(series, today)
    columns = {
        **daily_reading_features(series, sport, today),
        **load_averages(loads, first_day, known),
        **volume(loads, sport, first_day, known, ~lacking),
        **recency(loads, sport, first_day, ~lacking),
        **_body_features(body, first_day, last_day),
        "history_days": np.arange(len(today), dtype=float),
    }
    rows = pd.DataFrame(np.array([columns[name] for name in NAMES]).T, columns=list(NAMES))
    rows.insert(0, RECORD_ID, athlete_id)
    rows.insert(1, EVENT_TIME, _event_times(first_day, last_day))
    rows.insert(2, SPORT, sport.astype(object))
    return rows


def _body(days: pd.DataFrame) -> _Body:
    """The days table by day (the last row of a day counts), zeros and negatives as unknown."""
    day = day_numbers(days["day"])
    rows = np.argsort(day, kind="stable")
    rows = rows[day[rows] != UNKNOWN_DAY]
    rows = rows[np.append(day[rows][1:] != day[rows][:-1], True)] if len(rows) else rows
    columns = (numbers(days[name])[rows] for name in ("resting_hr_bpm", "hrv_ms", "weight_kg"))
    return _Body(day[rows], *(np.where(values > 0, values, np.nan) for values in columns))


def _loads(activities: pd.DataFrame, body: _Body) -> Loads:
    is_known = ~np.isnan(body.resting_hr_bpm)
    return activity_loads(activities, body.day[is_known], body.resting_hr_bpm[is_known])


def _series_sport(series: dict[str, Series], today: Days) -> npt.NDArray[np.str_]:
    running, cycling = (np.searchsorted(series[sport].day, today, side="right") for sport in SPORTS)
    return np.where(cycling > running, "cycling", "running")


def _body_features(body: _Body, first_day: int, last_day: int) -> dict[str, Floats]:
    """Body features of every day; days of the body table before the first one count in the means."""
    earlier = body.day[body.day < first_day]
    calendar = np.concatenate([earlier, np.arange(first_day, last_day + 1)])
    position = np.searchsorted(calendar, body.day)
    measured = {"resting_hr": body.resting_hr_bpm, "hrv": body.hrv_ms}
    scattered = {name: _scattered(values, position, len(calendar)) for name, values in measured.items()}
    by_day = pd.DataFrame(scattered, index=to_index(calendar))
    weeks = by_day.rolling("7D", min_periods=3).mean().to_numpy()[len(earlier) :]
    usual = by_day.rolling("60D", min_periods=14).mean().to_numpy()[len(earlier) :]
    columns = {}
    for number, name in enumerate(measured):
        columns[f"{name}_7d"] = weeks[:, number]
        columns[f"{name}_7d_vs_60d"] = weeks[:, number] - usual[:, number]
    weight = _scattered(body.weight_kg, position, len(calendar))[len(earlier) :]
    columns["weight_kg"] = held(weight, _WEIGHT_VALID_DAYS)
    return columns


def _scattered(values: Floats, position: Days, count: int) -> Floats:
    found = np.full(count, np.nan)
    found[position] = values
    return found


def _event_times(first_day: int, last_day: int) -> npt.NDArray[np.object_]:
    first_year, last_year = (np.int64(day).astype("datetime64[D]").item().year for day in (first_day, last_day))
    texts = np.concatenate([_event_times_in(year) for year in range(first_year, last_year + 1)])
    skipped = first_day - int(np.datetime64(f"{first_year:04}-01-01", "D").astype(np.int64))
    return texts[skipped : skipped + last_day - first_day + 1]


@cache
def _event_times_in(year: int) -> npt.NDArray[np.object_]:
    """The event time of every day of a year; every athlete has the same, so their texts are made and held once."""
    days = np.arange(f"{year:04}-01-01", f"{year + 1:04}-01-01", dtype="datetime64[D]")
    return np.array([f"{day}T00:00:00Z" for day in np.datetime_as_string(days)], dtype=object)
