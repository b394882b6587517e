"""The curated prefix: each table as one CSV a month, a month always rewritten whole."""

import io
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from include.curate.tables import COLUMNS, Tables, sort_rows, to_frame, typed
from include.garmin.raw import list_keys
from include.lake import curated_key, curated_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NO_MONTH = "unknown"
"""The month of rows without a day; it sorts after any `YYYY-MM`."""


def write_tables(
    s3: "S3Client", bucket: str, athlete_id: str, tables: Tables, since_month: str | None = None
) -> list[str]:
    """Rewrite the athlete's months from `since_month` (`YYYY-MM`; None: all) on; returns the keys now there.

    A month that has no row any more is deleted; earlier months stay as they are, so `tables` need not hold them.
    Rows without a day are kept as of NO_MONTH, which comes after every month: the rules of quality reject them.

    Raises:
        ValueError: rows of another athlete.
    """
    written = []
    for table, frame in tables.frames().items():
        _check(table, frame, athlete_id)
        months = dict(_months(frame))
        kept = {month: part for month, part in months.items() if since_month is None or month >= since_month}
        keys = {curated_key(table, athlete_id, month): part for month, part in kept.items()}
        for key, part in keys.items():
            s3.put_object(Bucket=bucket, Key=key, Body=to_csv(table, part), ContentType="text/csv")
        start = curated_key(table, athlete_id, since_month) if since_month else ""
        for key in list(list_keys(s3, bucket, curated_prefix(table, athlete_id))):
            if key >= start and key not in keys:
                s3.delete_object(Bucket=bucket, Key=key)
        written += sorted(keys)
    return written


def read_tables(s3: "S3Client", bucket: str, athlete_id: str) -> Tables:
    """The athlete's tables, all months; without rows, but with columns, for an athlete that has none."""

    def frame(table: str) -> pd.DataFrame:
        keys = list_keys(s3, bucket, curated_prefix(table, athlete_id))
        parts = [from_csv(table, s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
        return sort_rows(table, pd.concat(parts, ignore_index=True)) if parts else to_frame(table, [])

    return Tables(activities=frame("activities"), days=frame("days"), vo2max=frame("vo2max"))


def to_csv(table: str, frame: pd.DataFrame) -> bytes:
    """CSV, the same bytes for the same rows: columns and rows in the table's order, shortest exact numbers."""
    out = sort_rows(table, frame[list(COLUMNS[table])])
    for name, kind in COLUMNS[table].items():
        if kind in ("day", "time"):
            out[name] = out[name].dt.strftime("%Y-%m-%d" if kind == "day" else "%Y-%m-%dT%H:%M:%S.%fZ")
    return out.to_csv(index=False, lineterminator="\n").encode()


def from_csv(table: str, body: bytes) -> pd.DataFrame:
    """What `to_csv` wrote, in the table's dtypes. Raises KeyError when a column is missing."""
    text = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False, na_values=[""])
    return pd.DataFrame({name: typed(text[name], kind) for name, kind in COLUMNS[table].items()})


def month_of(day: date) -> str:
    """The month (`YYYY-MM`) whose part holds `day`."""
    return f"{day:%Y-%m}"


def _months(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for month, part in frame.groupby(frame["day"].dt.strftime("%Y-%m").fillna(NO_MONTH), sort=True):
        yield str(month), part


def _check(table: str, frame: pd.DataFrame, athlete_id: str) -> None:
    others = set(frame["athlete_id"]) - {athlete_id}
    if others:
        raise ValueError(f"table {table} of athlete {athlete_id} holds rows of {sorted(map(str, others))}")
