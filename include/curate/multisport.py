"""A multisport parent and its legs are one effort: it is counted once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from include.curate.clock import starts
from include.curate.mends import Mends
from include.curate.months import month_of

Row = dict[str, Any]

LEGS_COVER = 0.8
"""Legs stand for their parent when they last at least this share of it; the rest is the changes between them."""
LONGEST_DAYS = 3
"""A leg starts at most so many days after its parent."""


def count_once(rows: Sequence[Row], mends: Mends) -> list[Row]:
    """Without parents whose legs are all there, and without the legs of parents some of whose legs are missing.

    A leg is named by its `parent_id`; a row that lies inside a parent's time is its leg too, and is given the id. What
    happens to a parent is told by its legs of the same month: those that come after the turn of the month follow it.
    """
    parents = {row["activity_id"]: row for row in rows if is_parent(row)}
    if not parents:
        return list(rows)
    parent_of = _parent_of(rows, parents)
    legs_s: dict[str, float] = defaultdict(float)
    for row in rows:
        parent = parents.get(parent_of.get(row["activity_id"], ""))
        if parent is not None and month_of(row["day"]) == month_of(parent["day"]):
            legs_s[parent["activity_id"]] += row.get("duration_s") or 0.0
    complete = {
        parent_id
        for parent_id, seconds in legs_s.items()
        if seconds >= LEGS_COVER * (parents[parent_id].get("duration_s") or 0.0)
    }
    kept = []
    for row in rows:
        activity_id = row["activity_id"]
        if activity_id in complete:
            mends.count("multisport_parent_left_out", row["day"])
        elif activity_id in parents:
            kept.append({**row, "sport": "multisport"})
        elif activity_id not in parent_of:
            kept.append(row)
        elif parent_of[activity_id] in complete:
            kept.append({**row, "parent_id": parent_of[activity_id]})
        else:
            mends.count("multisport_leg_left_out", row["day"])
    return kept


def is_parent(row: Row) -> bool:
    return bool(row.get("_is_parent")) or row.get("sport") == "multisport"


def _parent_of(rows: Sequence[Row], parents: Mapping[str, Row]) -> dict[str, str]:
    """Ids of legs and of their parents."""
    by_day: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["activity_id"] not in parents and row["day"] is not None:
            by_day[row["day"]].append(row)
    found: dict[str, str] = {}
    for parent_id, parent in sorted(parents.items()):
        for day in _days_of(parent):
            for row in by_day.get(day, ()):
                named = row.get("parent_id")
                if named == parent_id or (named is None and row["activity_id"] not in found and _inside(row, parent)):
                    found[row["activity_id"]] = parent_id
    return found


def _days_of(parent: Row) -> Iterator[str]:
    if parent["day"] is not None:
        first = date.fromisoformat(parent["day"])
        yield from (str(first + timedelta(days=number)) for number in range(LONGEST_DAYS + 1))


def _inside(row: Row, parent: Row) -> bool:
    both, seconds, parent_s = starts(row, parent), row.get("duration_s"), parent.get("duration_s")
    if both is None or not seconds or not parent_s or min(seconds, parent_s) < 0:
        return False
    start, parent_start = both
    offset_s = (start - parent_start).total_seconds()
    return offset_s >= 0 and offset_s + seconds <= parent_s
