"""Quarantine and Data Docs in the bucket."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from include.curate.months import NO_MONTH
from include.curate.tables import COLUMNS
from include.garmin.holdings import list_keys
from include.lake import data_docs_key, quarantine_key, quarantine_prefix
from include.quality.verdict import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def write_quarantine(
    s3: "S3Client", bucket: str, athlete_id: str, verdict: Verdict, since_month: str | None = None
) -> list[str]:
    """Write the rejected rows, and those of which values were left out, by table and month; returns the keys written.

    The column `left_out` tells the two apart: `row` or `value`. The rows stand there as they came.

    What an earlier run rejected in the months from `since_month` (`YYYY-MM`; None: all) on is deleted. Earlier months
    stay as they are: their tables were written clean, so their rows are not among those that were checked again.
    """
    written = []
    for table, frame in _put_aside(verdict):
        for month, rows in frame.groupby(frame["day"].dt.strftime("%Y-%m").fillna(NO_MONTH), sort=True):
            key = quarantine_key(table, athlete_id, str(month))
            body = rows.to_csv(index=False, lineterminator="\n").encode()
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/csv")
            written.append(key)
    for table in COLUMNS:
        start = quarantine_key(table, athlete_id, since_month) if since_month else ""
        end = quarantine_key(table, athlete_id, NO_MONTH) if since_month else "~"
        for key in list(list_keys(s3, bucket, quarantine_prefix(table, athlete_id))):
            if start <= key < end and key not in written:
                s3.delete_object(Bucket=bucket, Key=key)
    return written


def _put_aside(verdict: Verdict) -> Iterator[tuple[str, pd.DataFrame]]:
    for table in COLUMNS:
        kinds = (("row", verdict.rejected), ("value", verdict.left_out))
        parts = [found[table].assign(left_out=kind) for kind, found in kinds if table in found]
        if parts:
            yield table, pd.concat(parts, ignore_index=True)


def write_data_docs(s3: "S3Client", bucket: str, run: str, pages: Mapping[str, str]) -> None:
    """Write Great Expectations' pages of one run, one a table."""
    for table, page in pages.items():
        s3.put_object(Bucket=bucket, Key=data_docs_key(run, table), Body=page.encode(), ContentType="text/html")
