"""One VO2max reading per athlete, day and sport, by rules that keep running, cycling and walking apart.

1. A day-level reading (`maxmet/daily`, training status, export, `daily.json`, a FIT file's estimate) goes before an
   activity's of the same day and sport: it is Garmin's own series, often precise; an activity's value fills the days
   that have none.
2. An activity's value belongs to its sport: running, cycling or walking, which a hike is too. That of multisport legs
   and of other sports is left out.
3. A walk's value is its own only when heart rate was measured and it is no repeat: watches write the last run's value
   into the walks that follow. It counts from the first walk on whose value differs until the next run, and throughout
   when the year before has no run.
4. A day-level value without a sport of its own is Garmin's series of running and walking together. It is running,
   unless no run carried a value that day and a walk or a ride did: then it is that walk's or ride's. Where only a
   repeat was carried it is left out.
5. A precise value goes before a rounded one, whatever tells it; then as `merge` says; the day's last activity before
   its first. 0.0 is "not estimated", not a reading.
6. The reading's own calendar date is its day, never the day that was asked for.
7. What the day's last activity of the sport told is kept beside the reading, as `activity_vo2max`: the two series are
   never mixed, but the day's own follows the activities'. A METRICS file tells it with tenths, and goes before.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from include.curate.clock import in_order
from include.curate.mends import Mends
from include.curate.merge import merge_readings
from include.curate.months import CONTEXT_MONTHS, month_of, months_before

Row = dict[str, Any]
DaySport = tuple[str, str]

ON_FOOT_UNHURRIED = frozenset({"walking", "hiking"})
REPEATED = "repeated"
"""Stands for the sport of a walk whose value is not its own."""


def one_a_day(day_level: Sequence[Row], activities: Sequence[Row], mends: Mends) -> list[Row]:
    """Rows of the table vo2max (without athlete_id). `day_level` is in order of documents."""
    carried = _carried(activities)
    repeats = _repeats(carried)
    chosen = _from_activities(carried, repeats, mends)
    told = {key: (row["device"], row["activity_vo2max"]) for key, row in chosen.items()}
    for (day, sport), reading in _by_own_sport(merge_readings(day_level), carried, repeats, mends).items():
        precise = reading.get("precise")
        device, of_activity = told.get((day, sport), (None, None))
        of_update = reading.get("activity_vo2max")
        chosen[day, sport] = {
            "day": day,
            "sport": sport,
            "vo2max": precise if precise is not None else reading["rounded"],
            "is_precise": precise is not None,
            "activity_vo2max": of_update if of_update is not None else of_activity,
            "device": device,
        }
    return list(chosen.values())


def _carried(activities: Sequence[Row]) -> dict[str, list[Row]]:
    """The activities with a VO2max, by day, the days in order and each day in order of start."""
    by_day: dict[str, list[Row]] = defaultdict(list)
    for row in activities:
        if row.get("_vo2max") is not None and row.get("day") is not None:
            by_day[row["day"]].append(row)
    return {day: in_order(by_day[day]) for day in sorted(by_day)}


def _repeats(carried: Mapping[str, Sequence[Row]]) -> set[str]:
    """The ids of walks whose value is not their own (rule 3).

    Each month looks back CONTEXT_MONTHS and no further, so that it comes out the same whatever was read before that.
    """
    on_foot = [row for rows in carried.values() for row in rows if row["sport"] in {"running", *ON_FOOT_UNHURRIED}]
    months = {month_of(row["day"]) for row in on_foot if row["sport"] != "running"}
    return {activity_id for month in months for activity_id in _repeats_of(month, on_foot)}


def _repeats_of(month: str, on_foot: Sequence[Row]) -> set[str]:
    found: set[str] = set()
    last_run: float | None = None
    first = months_before(month, CONTEXT_MONTHS)
    for row in on_foot:
        if not first <= month_of(row["day"]) <= month:
            continue
        if row["sport"] == "running":
            last_run = row["_vo2max"]
            continue
        if last_run is not None and round(row["_vo2max"]) != round(last_run):
            last_run = None  # the value moved on a walk: it is the walks' own until the next run
        is_own = row.get("avg_hr_bpm") is not None and last_run is None
        if not is_own and month_of(row["day"]) == month:
            found.add(row["activity_id"])
    return found


def _own_sport(row: Row, repeats: set[str]) -> str | None:
    """The series that an activity's value belongs to, or REPEATED; None for the sports without one."""
    if row["sport"] in ON_FOOT_UNHURRIED:
        return REPEATED if row["activity_id"] in repeats else "walking"
    return row["sport"] if row["sport"] in ("running", "cycling") else None


def _is_of_multisport(row: Row) -> bool:
    return row.get("parent_id") is not None or bool(row.get("_is_parent"))


def _from_activities(carried: Mapping[str, Sequence[Row]], repeats: set[str], mends: Mends) -> dict[DaySport, Row]:
    chosen: dict[DaySport, Row] = {}
    for day, rows in carried.items():
        for row in rows:
            sport = None if _is_of_multisport(row) else _own_sport(row, repeats)
            if sport is None or sport == REPEATED:
                mends.count(f"vo2max_of_{'walk_repeated' if sport else 'other_sport'}_left_out", day)
                continue
            value = row["_vo2max"]
            chosen[day, sport] = {
                "day": day,
                "sport": sport,
                "vo2max": value,
                "is_precise": value != round(value),
                "activity_vo2max": value,
                "device": row.get("_device"),
            }
    return chosen


def _by_own_sport(
    merged: Sequence[Row], carried: Mapping[str, Sequence[Row]], repeats: set[str], mends: Mends
) -> dict[DaySport, Row]:
    """Rule 4. The legs of a multisport activity tell which sports there were."""
    result = {(row["day"], row["sport"]): row for row in merged}
    for day, sport in list(result):
        sports = {_own_sport(row, repeats) for row in carried.get(day, ())} - {None}
        if sport != "running" or not sports or "running" in sports:
            continue
        reading = result.pop((day, "running"))
        own = next((name for name in ("walking", "cycling") if name in sports and (day, name) not in result), None)
        if own is None:
            mends.count("vo2max_of_day_left_out", day)
        else:
            result[day, own] = reading
            mends.count(f"vo2max_of_day_moved_to_{own}", day)
    return result
