"""When an activity was: its moment in UTC and on the wall clock, which travel sets apart.

The day of an activity is that of the wall clock where it started, also when it ends after midnight. Which of two came
first, and whether they lie within one another, is told by UTC: on a flight west the wall clock runs backwards. Where
one of them has no UTC the wall clock has to do.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]


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
