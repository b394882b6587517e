"""From raw documents to the three tables: parse, merge, count once, mend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import pandas as pd

from include.curate.clock import set_clock
from include.curate.days import main_sleeps
from include.curate.mends import Mends
from include.curate.merge import merge_activities, merge_days
from include.curate.months import month_of
from include.curate.multisport import count_once
from include.curate.parse import Parsed, parse_document
from include.curate.plausible import LeftOut, take_out_alone, take_out_impossible
from include.curate.reading_days import with_local_days
from include.curate.readings import one_a_day
from include.curate.tables import GONE, Evidence, Tables, empty_tables, to_frame
from include.curate.twins import merge_twins
from include.curate.unit_mends import mend_days, mend_units
from include.garmin.document import StoredDocument
from include.garmin.listing import Listings, digest_of
from include.lake import LISTING_KIND

Row = dict[str, Any]


@dataclass(frozen=True)
class _Told:
    """What one document told."""

    rows: Parsed
    kind: str
    name: str
    digest: str
    fetched_at: datetime
    key: str


def curate(documents: Iterable[StoredDocument], since: date | None = None) -> Tables:
    """The tables of one athlete. No documents, or documents without rows, give tables without rows.

    Which of several documents wins is stated in `merge`; the order in which they come does not matter. Of a source
    that tells all it knows each time (see `include.garmin.listing`) the last reading counts. Rows whose date cannot be
    true are left out (see `plausible`). Content that makes no sense is counted in `Tables.unread` and never raises.

    Args:
        documents: all of the athlete, or all that cover `context_start(since)` or a later day.
        since: only the months from that of this day on are given, exactly as a call without it gives them. Activities
            without a day are given as far as these documents tell of them. It must not lie so far back that
            `needs_all` is true of it.

    Raises:
        ValueError: documents of more than one athlete.
    """
    athletes: set[str] = set()
    listings: list[StoredDocument] = []
    told: list[_Told] = []
    for document in documents:  # whose bodies are not kept: together they are larger than their rows
        athletes.add(document.athlete_id)
        if document.kind == LISTING_KIND:
            listings.append(document)
            continue
        rows = Parsed()
        parse_document(document.body, rows)
        digest = digest_of(document.body)
        told.append(_Told(rows, document.kind, document.name, digest, document.fetched_at, document.key))
    if len(athletes) > 1:
        raise ValueError(f"documents of more than one athlete: {', '.join(sorted(athletes))}")
    since_month = f"{since:%Y-%m}" if since else None
    if not athletes:
        return empty_tables(since_month)
    told.sort(key=attrgetter("fetched_at", "key"))
    return _tables(told, Listings.from_documents(listings), athletes.pop(), since_month)


def _tables(told: Sequence[_Told], listings: Listings, athlete_id: str, since_month: str | None) -> Tables:
    mends, left_out = Mends(), LeftOut()
    months_read = _months_read(told)
    parsed = _in_force(told, listings, left_out, mends)
    if since_month is None:
        take_out_alone(parsed, left_out)
    left_out.settle(parsed, mends)
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
        "vo2max": one_a_day(with_local_days(parsed.readings, activities), activities, mends),
    }

    def frame(table: str, found: Iterable[Row]) -> pd.DataFrame:
        return to_frame(table, [row | {"athlete_id": athlete_id} for row in found if _is_of(row, since_month)])

    gone = {row["activity_id"]: GONE for part in told for row in part.rows.activities}
    evidence = Evidence(
        months_read,
        gone | {row["activity_id"]: month_of(row["day"]) for row in activities},
        {table: left_out.frame(table, athlete_id, since_month) for table in left_out.rows},
    )
    return Tables(
        **{table: frame(table, found) for table, found in rows.items()},
        mends=mends.since(since_month),
        unread=dict(sorted(parsed.unread.items())),
        items_read=len(parsed.activities) + len(parsed.days) + len(parsed.readings),
        since_month=since_month,
        evidence=evidence,
    )


def _in_force(told: Sequence[_Told], listings: Listings, left_out: LeftOut, mends: Mends) -> Parsed:
    """The rows of all documents in order of fetch, without those that a later reading of their source replaced."""
    parsed = Parsed()
    dropped: dict[str, str | None] = {}
    for part in told:
        rows = Parsed(list(part.rows.activities), list(part.rows.days), list(part.rows.readings), part.rows.unread)
        days = listings.replaced_days(part.kind, part.name, part.digest, part.fetched_at)
        if days is not None:
            dropped |= {row["activity_id"]: row["day"] for row in rows.activities}
            for found in (rows.activities, rows.days, rows.readings):
                found[:] = [row for row in found if row["day"] is not None and not days[0] <= row["day"] <= days[1]]
        take_out_impossible(rows, part.fetched_at.date(), left_out)
        parsed.add(rows)
    still_there = {row["activity_id"] for row in parsed.activities}
    for activity_id, day in dropped.items():
        if activity_id not in still_there:
            mends.count("no_longer_listed_left_out", day)
    return parsed


def _months_read(told: Sequence[_Told]) -> dict[str, frozenset[str]]:
    activities = frozenset(month_of(row["day"]) for part in told for row in part.rows.activities)
    days = frozenset(month_of(row["day"]) for part in told for row in part.rows.days)
    readings = frozenset(month_of(row["day"]) for part in told for row in part.rows.readings)
    return {"activities": activities, "days": days, "vo2max": activities | readings}


def _tells_something(day: Row) -> bool:
    return any(value is not None for name, value in day.items() if name not in ("day", "source"))


def _is_of(row: Row, since_month: str | None) -> bool:
    return since_month is None or month_of(row["day"]) >= since_month
