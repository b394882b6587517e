"""One effort recorded twice: by two devices, or imported again from another app, under two ids.

Two activities of the same sport that overlap, start within START_S of each other and last equally long (within
DURATION_SHARE or DURATION_S, the larger) are one: nobody runs twice at once. The row that tells more is kept and the
other fills what it lacks. Parents of multisport activities are left to `multisport`; a leg may have a twin that has no
parent. Of two in different months the earlier row stays as it is (see `months`).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from include.curate.clock import starts
from include.curate.mends import Mends
from include.curate.months import month_of
from include.curate.multisport import is_parent

Row = dict[str, Any]

RULE = "recorded_twice_merged"
START_S = 60.0
DURATION_SHARE = 0.02
DURATION_S = 60.0
DAYS = 2
"""Local days of one moment lie no further apart; where they do, one of the clocks was never set."""


def merge_twins(rows: Sequence[Row], mends: Mends) -> list[Row]:
    """`rows` with each effort once."""
    dropped: set[str] = set()
    for kept, twin in sorted(map(_keeper_first, _pairs(rows)), key=_turn):
        if kept["activity_id"] in dropped or twin["activity_id"] in dropped:
            continue
        dropped.add(twin["activity_id"])
        mends.count(RULE, twin["day"])
        if month_of(kept["day"]) == month_of(twin["day"]):
            kept.update({name: value for name, value in twin.items() if kept.get(name) is None})
    return [row for row in rows if row["activity_id"] not in dropped]


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Twins that have a clock in common: all with UTC are compared by it, the others by the wall clock."""
    single = [row for row in rows if row["day"] is not None and not is_parent(row)]
    for clock in ("_started_at", "_start_local"):
        near: deque[Row] = deque()
        for row in sorted((row for row in single if row.get(clock) is not None), key=lambda row: row[clock]):
            while near and (row[clock] - near[0][clock]).total_seconds() > START_S:
                near.popleft()
            for earlier in near:
                by_utc = row.get("_started_at") is not None and earlier.get("_started_at") is not None
                if by_utc == (clock == "_started_at") and _same(earlier, row):
                    yield earlier, row
            near.append(row)


def _same(one: Row, other: Row) -> bool:
    if one["sport"] != other["sport"] or (one.get("parent_id") and other.get("parent_id")):
        return False
    if abs(date.fromisoformat(one["day"]) - date.fromisoformat(other["day"])).days > DAYS:
        return False
    one_s, other_s, both = one.get("duration_s"), other.get("duration_s"), starts(one, other)
    if not one_s or not other_s or both is None or min(one_s, other_s) < 0:
        return False
    first, second = sorted(zip(both, (one_s, other_s), strict=True))
    overlap = (second[0] - first[0]).total_seconds() < first[1]
    return bool(overlap and abs(one_s - other_s) <= max(DURATION_S, DURATION_SHARE * max(one_s, other_s)))


def _keeper_first(pair: tuple[Row, Row]) -> tuple[Row, Row]:
    one, other = sorted(pair, key=_rank)
    return one, other


def _rank(row: Row) -> tuple[str, bool, int, int, str]:
    """A leg before what has no parent, then the row that tells more; then the older id, which is the shorter."""
    known = sum(value is not None for value in row.values())
    return month_of(row["day"]), not row.get("parent_id"), -known, len(row["activity_id"]), row["activity_id"]


def _turn(pair: tuple[Row, Row]) -> tuple[str, str, str]:
    """The pairs of a month come before those with a row of a later one."""
    kept, twin = pair
    return month_of(twin["day"]), kept["activity_id"], twin["activity_id"]
