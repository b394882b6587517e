"""One effort recorded twice: by two devices, or imported again from another app, under two ids.

Nobody does two things at once: of two activities of which one lies for most of its time within the other, one counts,
whatever sport each device named. The time from start to end decides, for two devices pause apart from each other. The
row that tells more is kept and the other fills what it lacks.

These stay two:

* activities that follow each other, and the legs of one multisport activity;
* two that were typed in: an hour that somebody typed is no measurement. One typed in and one recorded are one effort
  only when sport, start and length agree;
* what lies in the pause of an activity that was put aside for longer than it was recorded.

A multisport activity on two devices is one: the other's parent goes, and its legs with it. Of two in different months
the earlier row stays as it is (see `months`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from include.curate.clock import starts
from include.curate.mends import Mends
from include.curate.months import month_of
from include.curate.multisport import is_parent

Row = dict[str, Any]

RULE = "recorded_twice_merged"
LEAST_SHARE_WITHIN = 0.5
"""Of the shorter activity; less of it is a device that was stopped late or started early."""
SAME_SPAN_SHARE = 0.9
"""Two that share so much of the time of both were started and stopped together."""
TYPED_START_S, TYPED_LENGTH_S, TYPED_LENGTH_SHARE = 60.0, 60.0, 0.02
"""How closely what was typed in must agree with what was recorded."""
LIKE_LENGTH = 0.8
"""Below this share of the other's length, an activity has seen only a part of the effort."""
LONGEST = timedelta(days=31)
"""No activity is longer; a clock that was set on the way tells such spans."""
DAYS = 2
"""Local days of one moment lie no further apart; where they do, one of the clocks was never set."""
OF_ITS_SPORT = frozenset({"_vo2max", "avg_power_w"})
"""What an activity of another sport does not fill in."""


@dataclass(frozen=True)
class Span:
    """From the start to the end of an activity on one clock, and how long of it was recorded."""

    start: datetime
    end: datetime
    recorded_s: float

    @property
    def length_s(self) -> float:
        return (self.end - self.start).total_seconds()


def merge_twins(rows: Sequence[Row], mends: Mends) -> list[Row]:
    """`rows` with each effort once; their order does not matter."""
    dropped = _parents_recorded_twice(rows, mends)
    singles = [row for row in rows if row["activity_id"] not in dropped and not is_parent(row)]
    for kept, twin in _in_turn(singles):
        if kept["activity_id"] in dropped or twin["activity_id"] in dropped:
            continue
        dropped.add(twin["activity_id"])
        mends.count(RULE, twin["day"])
        if month_of(kept["day"]) == month_of(twin["day"]):
            _fill(kept, twin)
    return [row for row in rows if row["activity_id"] not in dropped]


def _parents_recorded_twice(rows: Sequence[Row], mends: Mends) -> set[str]:
    """The ids of parents that another parent stands for, and of their legs."""
    dropped: set[str] = set()
    for kept, twin in _in_turn([row for row in rows if is_parent(row)]):
        if kept["activity_id"] not in dropped and twin["activity_id"] not in dropped:
            dropped.add(twin["activity_id"])
            mends.count(RULE, twin["day"])
    return dropped | {row["activity_id"] for row in rows if row.get("parent_id") in dropped}


def _fill(kept: Row, twin: Row) -> None:
    same_sport = kept["sport"] == twin["sport"]
    for name, value in twin.items():
        if kept.get(name) is None and (same_sport or name not in OF_ITS_SPORT):
            kept[name] = value


def _in_turn(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Twins, the one to keep first: a month's before those with a row of a later one, those that share most first."""

    def turn(found: tuple[float, tuple[Row, Row]]) -> tuple[str, float, str, str]:
        shared_s, (kept, twin) = found
        return month_of(twin["day"]), -shared_s, kept["activity_id"], twin["activity_id"]

    ranked = [(shared_s, _keeper_first(one, other)) for shared_s, one, other in _pairs(rows)]
    return [pair for _, pair in sorted(ranked, key=turn)]


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[float, Row, Row]]:
    """Twins and the seconds that they share. All with UTC are compared by it, the others by the wall clock."""
    dated = [row for row in rows if row["day"] is not None]
    # The wall clock is needed only where one has no UTC.
    clocks = ("_started_at", "_start_local")[: 1 if all(row.get("_started_at") for row in dated) else 2]
    for clock in clocks:
        spans = ((span, row) for row in dated if (span := _span(row, clock)) is not None)
        under_way: list[tuple[Span, Row]] = []
        for span, row in sorted(spans, key=lambda found: (found[0].start, found[1]["activity_id"])):
            under_way = [(earlier, other) for earlier, other in under_way if earlier.end > span.start]
            for earlier, other in under_way:
                by_utc = row.get("_started_at") is not None and other.get("_started_at") is not None
                if by_utc == (clock == "_started_at") and _may_be_twins(other, row) and _is_one_effort(earlier, span):
                    yield _shared_s(earlier, span), other, row
            under_way.append((span, row))


def _span(row: Row, clock: str) -> Span | None:
    """None without a start or a length. The end is told by the elapsed time, where it is known."""
    start, recorded_s = row.get(clock), row.get("duration_s") or row.get("_moving_s")
    if start is None or not recorded_s or recorded_s < 0:
        return None
    length_s = max(recorded_s, row.get("_elapsed_s") or 0.0)
    if length_s > LONGEST.total_seconds():
        return None
    return Span(start, start + timedelta(seconds=length_s), min(recorded_s, length_s))


def _may_be_twins(one: Row, other: Row) -> bool:
    """Whether all but the time of two activities allows that they are one."""
    if one.get("parent_id") and one.get("parent_id") == other.get("parent_id"):
        return False
    if abs(date.fromisoformat(one["day"]) - date.fromisoformat(other["day"])).days > DAYS:
        return False
    typed = bool(one.get("is_manual")) + bool(other.get("is_manual"))
    return typed == 0 or (typed == 1 and _agree_closely(one, other))


def _agree_closely(one: Row, other: Row) -> bool:
    both, lengths_s = starts(one, other), [one.get("duration_s") or 0.0, other.get("duration_s") or 0.0]
    if both is None or one["sport"] != other["sport"]:
        return False
    apart_s, longer_s = abs((both[0] - both[1]).total_seconds()), max(lengths_s)
    return apart_s <= TYPED_START_S and longer_s - min(lengths_s) <= max(TYPED_LENGTH_S, TYPED_LENGTH_SHARE * longer_s)


def _shared_s(one: Span, other: Span) -> float:
    return (min(one.end, other.end) - max(one.start, other.start)).total_seconds()


def _is_one_effort(one: Span, other: Span) -> bool:
    shared_s = _shared_s(one, other)
    shorter, longer = sorted((one, other), key=lambda span: span.length_s)
    if shared_s < LEAST_SHARE_WITHIN * shorter.length_s or shared_s <= 0:
        return False
    both_s = (max(one.end, other.end) - min(one.start, other.start)).total_seconds()
    if shared_s >= SAME_SPAN_SHARE * both_s:
        return True
    pause_s = longer.length_s - longer.recorded_s
    return pause_s <= longer.recorded_s or pause_s < shorter.length_s


def _keeper_first(*pair: Row) -> tuple[Row, Row]:
    """The one to keep first: the earlier month, a leg, a sport that has a name, the whole effort, what tells more."""
    longest_s = max(_length_s(row) for row in pair)

    def rank(row: Row) -> tuple[str, bool, bool, bool, int, int, str]:
        is_part = _length_s(row) < LIKE_LENGTH * longest_s
        known = sum(value is not None for value in row.values())
        older = len(row["activity_id"]), row["activity_id"]
        return month_of(row["day"]), not row.get("parent_id"), row["sport"] == "other", is_part, -known, *older

    kept, twin = sorted(pair, key=rank)
    return kept, twin


def _length_s(row: Row) -> float:
    return max(row.get("duration_s") or row.get("_moving_s") or 0.0, row.get("_elapsed_s") or 0.0)
