"""The curated prefix: each table as one CSV a month, a month always rewritten whole."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pandas as pd

from include.curate.months import NO_MONTH
from include.curate.tables import COLUMNS, LATER_COLUMNS, Tables, sort_rows, to_frame, typed
from include.garmin.holdings import list_keys
from include.lake import curated_key, curated_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REQUESTS_AT_ONCE = 8


def write_tables(
    s3: "S3Client", bucket: str, athlete_id: str, tables: Tables, since_month: str | None = None
) -> list[str]:
    """Rewrite the athlete's months from the first that `tables` hold on; returns the keys now there.

    A month that has no row any more is deleted; earlier months stay as they are. Rows without a day are kept as of
    NO_MONTH, which comes after every month: the rules of quality reject them. Tables of some months do not tell of all
    such rows, so those that they do not name stay.

    Args:
        since_month: `YYYY-MM`, to rewrite fewer months than `tables` hold.

    Raises:
        ValueError: rows of another athlete, or `since_month` is before the first month that `tables` hold.
    """
    if tables.since_month and since_month and since_month < tables.since_month:
        raise ValueError(
            f"tables of the months from {tables.since_month} on cannot rewrite those from {since_month} on: "
            "give `curate` the earlier day"
        )
    since_month = since_month or tables.since_month

    def put(part: tuple[str, bytes]) -> None:
        s3.put_object(Bucket=bucket, Key=part[0], Body=part[1], ContentType="text/csv")

    written = []
    for table, frame in tables.frames().items():
        _check(table, frame, athlete_id)
        is_partial = table == "activities" and tables.since_month is not None
        rows = _with_undated(s3, bucket, athlete_id, frame) if is_partial else frame
        kept = [part for part in csv_by_month(table, rows) if since_month is None or part[0] >= since_month]
        keys = {curated_key(table, athlete_id, month): body for month, body in kept}
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            list(pool.map(put, keys.items()))
        start = curated_key(table, athlete_id, since_month) if since_month else ""
        for key in list(list_keys(s3, bucket, curated_prefix(table, athlete_id))):
            if key >= start and key not in keys:
                s3.delete_object(Bucket=bucket, Key=key)
        written += sorted(keys)
    return written


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
