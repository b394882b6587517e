"""One VO2max reading per athlete, day and sport, by rules that keep running and cycling apart.

1. A day-level reading (`maxmet/daily`, export, `daily.json`, a FIT file's estimate) goes before an activity's of the
   same day and sport: it is Garmin's own series, often precise; an activity's value fills the days that have none.
2. An activity's value belongs to its sport: running or cycling. That of walks, hikes and multisport legs is left out.
3. A day-level value without a sport of its own is running, unless all that day's activities with a value are of
   other sports: then it repeats theirs, and is cycling or left out.
4. A precise value goes before a rounded one, whatever tells it; then as `merge` says; the day's last activity before
   its first. 0.0 is "not estimated", not a reading.
5. The reading's own calendar date is its day, never the day that was asked for.
6. What the day's last activity of the sport told is kept beside the reading, as `activity_vo2max`: the two series are
   never mixed, but the day's own follows the activities'. A METRICS file tells it with tenths, and goes before.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from include.curate.clock import in_order
from include.curate.mends import Mends
from include.curate.merge import merge_readings
from include.curate.tables import VO2MAX_SPORTS

Row = dict[str, Any]
DaySport = tuple[str, str]


def one_a_day(day_level: Sequence[Row], activities: Sequence[Row], mends: Mends) -> list[Row]:
    """Rows of the table vo2max (without athlete_id). `day_level` is in order of documents."""
    carried = _carried(activities)
    chosen = _from_activities(carried, mends)
    told = {key: (row["device"], row["activity_vo2max"]) for key, row in chosen.items()}
    for (day, sport), reading in _by_own_sport(merge_readings(day_level), carried, mends).items():
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
    """The activities with a VO2max, by day, each day in order of start."""
    by_day: dict[str, list[Row]] = defaultdict(list)
    for row in activities:
        if row.get("_vo2max") is not None and row.get("day") is not None:
            by_day[row["day"]].append(row)
    return {day: in_order(rows) for day, rows in by_day.items()}


def _reading_sport(row: Row) -> str | None:
    if row.get("parent_id") is not None or row.get("_is_parent"):
        return None
    return row["sport"] if row.get("sport") in VO2MAX_SPORTS else None


def _from_activities(carried: Mapping[str, Sequence[Row]], mends: Mends) -> dict[DaySport, Row]:
    chosen: dict[DaySport, Row] = {}
    for day, rows in carried.items():
        for row in rows:
            sport = _reading_sport(row)
            if sport is None:
                mends.count("vo2max_of_other_sport_left_out", day)
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


def _by_own_sport(merged: Sequence[Row], carried: Mapping[str, Sequence[Row]], mends: Mends) -> dict[DaySport, Row]:
    """Rule 3."""
    result = {(row["day"], row["sport"]): row for row in merged}
    for day, sport in list(result):
        sports = {_reading_sport(row) for row in carried.get(day, ())}
        if sport != "running" or not sports or "running" in sports:
            continue
        reading = result.pop((day, "running"))
        if "cycling" in sports and (day, "cycling") not in result:
            result[day, "cycling"] = reading
            mends.count("vo2max_of_day_moved_to_cycling", day)
        else:
            mends.count("vo2max_of_day_left_out", day)
    return result
