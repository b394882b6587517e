"""The curated prefix: each table as one CSV a month, a month always rewritten whole."""

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pandas as pd

from include.curate.months import NO_MONTH
from include.curate.tables import COLUMNS, GONE, LATER_COLUMNS, Tables, sort_rows, to_frame, typed
from include.garmin.holdings import list_keys
from include.lake import curated_key, curated_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REQUESTS_AT_ONCE = 8
LOST_SHARE_MAX = 0.5
"""A month that would lose a larger share of its rows is not written: corrections and deletions are few."""
LOST_ROWS_MIN = 6
"""Fewer lost rows never stop a run, however small the month is."""


class RowsLost(Exception):
    """A month would lose so many rows that something else is wrong; the message says how to let it happen."""


def write_tables(
    s3: "S3Client",
    bucket: str,
    athlete_id: str,
    tables: Tables,
    since_month: str | None = None,
    *,
    may_lose_rows: bool = True,
) -> list[str]:
    """Rewrite the athlete's months from the first that `tables` hold on; returns the keys now there.

    A month that has no row any more is deleted; earlier months stay as they are, and so does a month of which tables
    of some months have read no document. Rows without a day are kept as of NO_MONTH, which comes after every month:
    the rules of quality reject them. Tables of some months do not tell of all such rows, so those that they do not
    name stay.

    Args:
        since_month: `YYYY-MM`, to rewrite fewer months than `tables` hold.
        may_lose_rows: whether a month may lose more than LOST_SHARE_MAX of its rows.

    Raises:
        ValueError: rows of another athlete, or `since_month` is before the first month that `tables` hold.
        RowsLost: a month would lose too many rows; nothing was written.
    """
    if tables.since_month and since_month and since_month < tables.since_month:
        raise ValueError(
            f"tables of the months from {tables.since_month} on cannot rewrite those from {since_month} on: "
            "give `curate` the earlier day"
        )
    since_month = since_month or tables.since_month
    changes = [
        _change(s3, bucket, athlete_id, table, frame, tables, since_month) for table, frame in tables.frames().items()
    ]
    if not may_lose_rows:
        for change in changes:
            _refuse_loss(s3, bucket, athlete_id, change)
    for change in changes:
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            list(pool.map(lambda part: _put(s3, bucket, *part), change.bodies.items()))
        for key in change.stale:
            s3.delete_object(Bucket=bucket, Key=key)
    return [key for change in changes for key in sorted(change.bodies)]


@dataclass(frozen=True)
class _Change:
    """What one table's months in the bucket become; `sizes` are those of the files there, by key."""

    table: str
    bodies: Mapping[str, bytes]
    sizes: Mapping[str, int]
    stale: Sequence[str]


def _change(
    s3: "S3Client",
    bucket: str,
    athlete_id: str,
    table: str,
    frame: pd.DataFrame,
    tables: Tables,
    since_month: str | None,
) -> _Change:
    _check(table, frame, athlete_id)
    is_partial = tables.since_month is not None
    rows = _with_undated(s3, bucket, athlete_id, frame) if is_partial and table == "activities" else frame
    kept = [part for part in csv_by_month(table, rows) if since_month is None or part[0] >= since_month]
    bodies = {curated_key(table, athlete_id, month): body for month, body in kept}
    start = curated_key(table, athlete_id, since_month) if since_month else ""
    sizes = {key: size for key, size in _sizes(s3, bucket, curated_prefix(table, athlete_id)) if key >= start}
    unread = frozenset(key for key in sizes if is_partial and not _has_read(tables, table, _month_of_key(key)))
    return _Change(table, bodies, sizes, [key for key in sizes if key not in bodies and key not in unread])


def _has_read(tables: Tables, table: str, month: str) -> bool:
    return tables.evidence is None or month == NO_MONTH or month in tables.evidence.months_read[table]


def _refuse_loss(s3: "S3Client", bucket: str, athlete_id: str, change: _Change) -> None:
    """Count the rows of months whose file gets smaller, which are few: to read all would cost more than to write."""
    for key, size in change.sizes.items():
        body = change.bodies.get(key, b"")
        if (key not in change.bodies and key not in change.stale) or len(body) >= size * (1 - LOST_SHARE_MAX / 2):
            continue
        before = _rows_in(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        after = _rows_in(body)
        if before - after >= LOST_ROWS_MIN and before - after > LOST_SHARE_MAX * before:
            raise RowsLost(
                f"{athlete_id}: {change.table} of {_month_of_key(key)} would fall from {before} rows to {after}, so "
                "nothing was changed. Look at what the source gives for that month; if these rows are right to go, run "
                f"garmin_backfill with athlete {athlete_id}, source raw and the option accept_fewer"
            )


def _rows_in(body: bytes) -> int:
    return max(body.count(b"\n") - 1, 0)


def _month_of_key(key: str) -> str:
    return key.rpartition("/month=")[2].partition("/")[0]


def _put(s3: "S3Client", bucket: str, key: str, body: bytes) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/csv")


def _sizes(s3: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"], item["Size"]


def first_month_to_rewrite(stored: Tables, later: Tables) -> date | None:
    """The first day of the month, before all that `later` holds, that an activity has left or come to; None without.

    An id is one activity, wherever its month is: one whose date was corrected would else be in two months, or in none.
    """
    if later.since_month is None or later.evidence is None:
        return None
    months = stored.activities["day"].dt.strftime("%Y-%m").fillna(NO_MONTH)
    earliest = NO_MONTH
    for activity_id, month in zip(stored.activities["activity_id"], months, strict=True):
        now = later.evidence.month_of_activity.get(activity_id)
        if now is None or now == month or (now == GONE and month >= later.since_month):
            continue
        earliest = min(earliest, month, now if now != GONE else month)
    return date.fromisoformat(f"{earliest}-01") if earliest < later.since_month else None


def joined(stored: Tables, later: Tables) -> Tables:
    """All months of an athlete: of `later` what it holds, and what `write_tables` leaves as `stored`."""

    def frame(table: str, kept: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
        months = kept["day"].dt.strftime("%Y-%m").fillna(NO_MONTH)
        written = set(made["day"].dt.strftime("%Y-%m"))
        unread = {month for month in set(months) - written if not _has_read(later, table, month)}
        stays = (months < later.since_month) | months.isin(unread)
        if table == "activities":
            stays |= (months == NO_MONTH) & ~kept["activity_id"].isin(made["activity_id"])
        parts = [part for part in (kept[stays], made) if len(part)]
        return sort_rows(table, pd.concat(parts, ignore_index=True)) if parts else made

    if later.since_month is None:
        return later
    return Tables(
        activities=frame("activities", stored.activities, later.activities),
        days=frame("days", stored.days, later.days),
        vo2max=frame("vo2max", stored.vo2max, later.vo2max),
        unread=later.unread,
        items_read=later.items_read,
    )


def read_tables(s3: "S3Client", bucket: str, athlete_id: str) -> Tables:
    """The athlete's tables, all months; without rows, but with columns, for an athlete that has none."""

    def get(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:  # the next table is listed while months of the last one come
        under_way = {
            table: [pool.submit(get, key) for key in list_keys(s3, bucket, curated_prefix(table, athlete_id))]
            for table in COLUMNS
        }

    def frame(table: str) -> pd.DataFrame:
        parts = [request.result() for request in under_way[table]]
        return sort_rows(table, from_csv(table, *parts)) if parts else to_frame(table, [])

    return Tables(activities=frame("activities"), days=frame("days"), vo2max=frame("vo2max"))


def to_csv(table: str, frame: pd.DataFrame) -> bytes:
    """CSV, the same bytes for the same rows: columns and rows in the table's order, shortest exact numbers."""
    return _to_bytes(_as_text(table, frame))


def csv_by_month(table: str, frame: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    """Each month of a frame and its CSV, as `to_csv` makes it of the month's rows; in order."""
    text = _as_text(table, frame)
    months = text["day"].str.slice(0, 7).fillna(NO_MONTH)
    header, *lines = _to_bytes(text).splitlines(keepends=True) if len(text) else [b""]
    if len(lines) == len(text):  # one CSV cut into months costs a tenth of one CSV a month
        for month, rows in groupby(zip(months, lines, strict=True), key=itemgetter(0)):
            yield str(month), b"".join([header, *(line for _, line in rows)])
        return
    for month, part in text.groupby(months, sort=True):  # a text has a line break
        yield str(month), _to_bytes(part)


def from_csv(table: str, *parts: bytes) -> pd.DataFrame:
    """What `to_csv` wrote, part after part, in the table's dtypes.

    Raises:
        KeyError: a column is missing that is not one of LATER_COLUMNS.
    """
    texts = [pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False, na_values=[""]) for body in _joined(parts)]
    text = pd.concat(texts, ignore_index=True)
    for name in LATER_COLUMNS & COLUMNS[table].keys() - set(text):
        text[name] = None
    return pd.DataFrame({name: typed(text[name], kind) for name, kind in COLUMNS[table].items()})


def _joined(parts: Sequence[bytes]) -> Iterator[bytes]:
    """Neighbouring parts with the same columns as one: to start the parser costs more than a month's rows."""
    split = ((part if part.endswith(b"\n") else part + b"\n").partition(b"\n") for part in parts)
    for header, found in groupby(split, key=itemgetter(0)):
        yield b"".join([header, b"\n", *(rows for _, _, rows in found)])


def _with_undated(s3: "S3Client", bucket: str, athlete_id: str, activities: pd.DataFrame) -> pd.DataFrame:
    """`activities` and those without a day in the bucket that it does not name."""
    key = curated_key("activities", athlete_id, NO_MONTH)
    if key not in list_keys(s3, bucket, key):
        return activities
    undated = from_csv("activities", s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    others = undated[~undated["activity_id"].isin(activities["activity_id"])]
    return pd.concat([activities, others], ignore_index=True) if len(others) else activities


def _as_text(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    out = sort_rows(table, frame[list(COLUMNS[table])])
    for name, kind in COLUMNS[table].items():
        if kind in ("day", "time"):
            out[name] = out[name].dt.strftime("%Y-%m-%d" if kind == "day" else "%Y-%m-%dT%H:%M:%S.%fZ")
    return out


def _to_bytes(text: pd.DataFrame) -> bytes:
    return text.to_csv(index=False, lineterminator="\n").encode()


def _check(table: str, frame: pd.DataFrame, athlete_id: str) -> None:
    others = set(frame["athlete_id"]) - {athlete_id}
    if others:
        raise ValueError(f"table {table} of athlete {athlete_id} holds rows of {sorted(map(str, others))}")
