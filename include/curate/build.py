"""From raw documents to the three tables: parse, merge, count once, mend."""

from collections.abc import Iterable
from datetime import date, datetime
from operator import itemgetter
from typing import Any

from include.curate.clock import set_clock
from include.curate.days import main_sleeps
from include.curate.mends import Mends
from include.curate.merge import merge_activities, merge_days
from include.curate.months import month_of
from include.curate.multisport import count_once
from include.curate.parse import Parsed, parse_document
from include.curate.readings import one_a_day
from include.curate.tables import Tables, empty_tables, to_frame
from include.curate.twins import merge_twins
from include.curate.unit_mends import mend_days, mend_units
from include.garmin.document import StoredDocument

Row = dict[str, Any]


def curate(documents: Iterable[StoredDocument], since: date | None = None) -> Tables:
    """The tables of one athlete. No documents, or documents without rows, give tables without rows.

    Which of several documents wins is stated in `merge`; the order in which they come does not matter. Content that
    makes no sense is counted in `Tables.unread` and never raises.

    Args:
        documents: all of the athlete, or all that cover `context_start(since)` or a later day.
        since: only the months from that of this day on are given, exactly as a call without it gives them. Activities
            without a day are given as far as these documents tell of them.

    Raises:
        ValueError: documents of more than one athlete.
    """
    athletes: set[str] = set()
    parts: list[tuple[tuple[datetime, str], Parsed]] = []
    for document in documents:  # whose bodies are not kept: together they are larger than their rows
        part = Parsed()
        parse_document(document.body, part)
        parts.append(((document.fetched_at, document.key), part))
        athletes.add(document.athlete_id)
    if len(athletes) > 1:
        raise ValueError(f"documents of more than one athlete: {', '.join(sorted(athletes))}")
    since_month = f"{since:%Y-%m}" if since else None
    if not athletes:
        return empty_tables(since_month)
    parsed = Parsed()
    for _, part in sorted(parts, key=itemgetter(0)):
        parsed.add(part)
    return _tables(parsed, athletes.pop(), since_month)


def _tables(parsed: Parsed, athlete_id: str, since_month: str | None) -> Tables:
    mends = Mends()
    activities = merge_activities(parsed.activities)
    for row in activities:
        row["sport"] = row.get("sport") or "other"
        row["is_manual"] = row.get("is_manual") or False
        set_clock(row)
    activities = count_once(merge_twins(activities, mends), mends)
    mend_units(activities, mends, since_month)
    rows = {
        "activities": activities,
        "days": mend_days([row for row in merge_days(main_sleeps(parsed.days)) if _tells_something(row)], mends),
        "vo2max": one_a_day(parsed.readings, activities, mends),
    }
    frames = {
        table: to_frame(table, [row | {"athlete_id": athlete_id} for row in found if _is_of(row, since_month)])
        for table, found in rows.items()
    }
    return Tables(
        **frames,
        mends=mends.since(since_month),
        unread=dict(sorted(parsed.unread.items())),
        items_read=len(parsed.activities) + len(parsed.days) + len(parsed.readings),
        since_month=since_month,
    )


def _tells_something(day: Row) -> bool:
    return any(value is not None for name, value in day.items() if name not in ("day", "source"))


def _is_of(row: Row, since_month: str | None) -> bool:
    return since_month is None or month_of(row["day"]) >= since_month
