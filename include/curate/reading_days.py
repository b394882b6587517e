"""The local day of a VO2max update whose file tells its time in UTC alone.

A watch works VO2max out at the end of an activity. The activity's wall clock is known, and so the day at the place:
without it a run on an evening in America would have its reading on the next day, beside the one that Garmin's own
series has on the right day.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

LONGEST_AWAY = timedelta(days=2)
"""An activity further off tells nothing about where the watch was."""
_MOST_OFFSET = timedelta(hours=14)


def with_local_days(readings: Sequence[Row], activities: Sequence[Row]) -> list[Row]:
    """`readings`, those of updates (`_updated_at`) last and by time, each with the day at the place.

    `activities` have their clocks set. Where no activity is near, the day is that of UTC.
    """
    updates = sorted((row for row in readings if "_updated_at" in row), key=lambda row: row["_updated_at"])
    if not updates:
        return list(readings)
    clocks = sorted(
        (row["_started_at"], row["_start_local"] - row["_started_at"])
        for row in activities
        if row.get("_started_at") is not None and row.get("_start_local") is not None
    )
    clocks = [(started_at, offset) for started_at, offset in clocks if abs(offset) <= _MOST_OFFSET]
    starts = [started_at for started_at, _ in clocks]
    placed = [row if row["_is_local"] else {**row, "day": _day(row["_updated_at"], starts, clocks)} for row in updates]
    return [*(row for row in readings if "_updated_at" not in row), *placed]


def _day(updated_at: datetime, starts: Sequence[datetime], clocks: Sequence[tuple[datetime, timedelta]]) -> str:
    """By the last activity that began before the update; without one by the first after it."""
    at = bisect_right(starts, updated_at)
    for number in (at - 1, at):
        if 0 <= number < len(clocks) and abs(updated_at - starts[number]) <= LONGEST_AWAY:
            return (updated_at + clocks[number][1]).date().isoformat()
    return updated_at.date().isoformat()
