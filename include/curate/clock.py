"""When an activity was: its moment in UTC and on the wall clock, which travel sets apart.

The day of an activity is that of the wall clock where it started, also when it ends after midnight. Which of two came
first, and whether they lie within one another, is told by UTC: on a flight west the wall clock runs backwards. Where
one of them has no UTC the wall clock has to do.

A watch whose clock was never set, or was off by years, tells days that cannot be true. What it tells of them is left
out of the tables, for features span every day from the first to the last.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

Row = dict[str, Any]

FIRST_DAY = date(2000, 1, 1)
"""No watch of that time gave records to Garmin Connect; clocks that were never set begin in 1989 or 1999."""
DAYS_AHEAD = 1
"""It is tomorrow already at a place east of Greenwich."""
SUPPORT_DAYS_BEFORE, SUPPORT_DAYS_AFTER, SUPPORTING_DAYS = 365, 3 * 365, 7
"""A day stands alone when fewer than so many days are known in the time around it and more recent ones follow."""


def set_clock(row: Row) -> None:
    """Set `_started_at` (UTC) and `day` of an activity whose documents are merged."""
    started_at = row.get("started_at_utc")
    row["_started_at"] = datetime.fromisoformat(started_at) if started_at else None
    start = row.get("_start_local") or row["_started_at"]
    row["day"] = start.date().isoformat() if start else None


def starts(one: Row, other: Row) -> tuple[datetime, datetime] | None:
    """The starts of two activities on one clock; None when they have none in common."""
    for clock in ("_started_at", "_start_local"):
        first, second = one.get(clock), other.get(clock)
        if first is not None and second is not None:
            return first, second
    return None


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Activities of one day (or one month) in order of start, those at the same moment in order of id."""
    clock = "_started_at" if all(row.get("_started_at") is not None for row in rows) else "_start_local"
    return sorted(rows, key=lambda row: (row.get(clock) or row.get("_started_at") or datetime.min, row["activity_id"]))


def why_impossible(day: date, fetched_on: date) -> str | None:
    """Why nothing can have been recorded on `day`, of which Garmin told on another; None when it can."""
    if day < FIRST_DAY:
        return f"date {day} is before {FIRST_DAY}, when there was no such watch"
    if day > fetched_on + timedelta(days=DAYS_AHEAD):
        return f"date {day} is after the day on which it was fetched, {fetched_on}"
    return None


def days_alone(days: Iterable[date]) -> dict[date, str]:
    """The days that a clock which was wrong by years must have written, each with the reason.

    No other day near them supports them, and features would have to span the years between. It takes the whole
    history to tell.
    """
    known = np.array(sorted(set(days)), dtype="datetime64[D]")
    if not len(known):
        return {}
    first = np.searchsorted(known, known - SUPPORT_DAYS_BEFORE)
    last = np.searchsorted(known, known + SUPPORT_DAYS_AFTER, side="right")
    is_alone = (last - first < SUPPORTING_DAYS) & (known + SUPPORT_DAYS_AFTER < known[-1])
    following = {day: known[end] for day, end in zip(known[is_alone], last[is_alone], strict=True)}
    return {
        day.astype(object): f"date {day} stands alone: fewer than {SUPPORTING_DAYS} days are known around it, "
        f"and after them nothing until {after}"
        for day, after in following.items()
    }
