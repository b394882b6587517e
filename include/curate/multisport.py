"""A multisport parent and its legs are one effort: it is counted once."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

LEGS_COVER = 0.8
"""Legs stand for their parent when they last at least this share of it; the rest is the changes between them."""


def count_once(rows: Sequence[Row], mends: Counter[str]) -> list[Row]:
    """Without parents whose legs are all there, and without the legs of parents some of whose legs are missing.

    A leg is named by its `parent_id`; a row that lies inside a parent's time is its leg too, and is given the id.
    """
    parents = {row["activity_id"]: row for row in rows if row.get("_is_parent") or row.get("sport") == "multisport"}
    if not parents:
        return list(rows)
    legs: dict[str, list[Row]] = defaultdict(list)
    counted = [row if row["activity_id"] in parents else _with_parent(row, parents) for row in rows]
    for row in counted:
        if row["activity_id"] not in parents and row.get("parent_id") in parents:
            legs[row["parent_id"]].append(row)
    complete = {
        parent_id
        for parent_id, its_legs in legs.items()
        if _seconds(its_legs) >= LEGS_COVER * (parents[parent_id].get("duration_s") or 0.0)
    }
    kept = []
    for row in counted:
        if row["activity_id"] in complete:
            mends["multisport_parent_left_out"] += 1
        elif row["activity_id"] not in parents and row.get("parent_id") in parents.keys() - complete:
            mends["multisport_leg_left_out"] += 1
        else:
            kept.append({**row, "sport": "multisport"} if row["activity_id"] in parents else row)
    return kept


def _with_parent(row: Row, parents: dict[str, Row]) -> Row:
    if row.get("parent_id") is not None:
        return row
    for parent_id, parent in parents.items():
        if _inside(row, parent):
            return {**row, "parent_id": parent_id}
    return row


def _inside(row: Row, parent: Row) -> bool:
    span, parent_span = _span(row), _span(parent)
    return span is not None and parent_span is not None and parent_span[0] <= span[0] and span[1] <= parent_span[1]


def _span(row: Row) -> tuple[datetime, datetime] | None:
    start, seconds = row.get("_start_local"), row.get("duration_s")
    if start is None or seconds is None or not 0 < seconds < 30 * 86400:
        return None
    return start, start + timedelta(seconds=seconds)


def _seconds(rows: Sequence[Row]) -> float:
    return sum(row.get("duration_s") or 0.0 for row in rows)
