"""Feature rows of many athletes into the offline store in bulk, as Parquet files of the feature group's own layout.

AWS calls it direct ingestion: its Spark connector writes such files beside those that Feature Store makes of single
puts, a file for each hour of event time, and readers make no difference. A row's invocation and write time are the
moment of the write, so a file never changes what the store held before that moment, and no file is ever written over.
A write that broke off is done again as a whole: where a row is there twice, the later one counts.
"""

import hashlib
import io
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from include.features.schema import COLUMNS, EVENT_TIME, RECORD_ID, TEXT_COLUMNS
from include.features.store import IS_DELETED

if TYPE_CHECKING:
    import pyarrow as pa

PUTS_AT_ONCE = 8
IS_NEWEST = "is_newest"
"""In a staged file, marks the athlete's newest row, which is put through the API and is in no file of the store."""
_MONTH = slice(0, 7)
_HOUR = slice(0, 13)


@dataclass(frozen=True)
class OfflineStore:
    """Where the offline store of a feature group lies."""

    bucket: str
    prefix: str
    """Key prefix of its data, without a slash at the end."""

    @staticmethod
    def from_description(description: Mapping[str, Any]) -> "OfflineStore":
        """The place that SageMaker's DescribeFeatureGroup names."""
        uri = description["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
        bucket, _, prefix = str(uri).removeprefix("s3://").partition("/")
        return OfflineStore(bucket, prefix.rstrip("/"))

    def key(self, event_hour: str, writer: str) -> str:
        """Key of the file of one hour (`YYYY-MM-DDTHH`) that one write makes."""
        day, _, hour = event_hour.partition("T")
        year, month, day_of_month = day.split("-")
        folder = f"{self.prefix}/year={year}/month={month}/day={day_of_month}/hour={hour}"
        return f"{folder}/{year}{month}{day_of_month}T{hour}0000Z_{writer}.parquet"


def staged_body(frame: pd.DataFrame) -> bytes:
    """Feature rows as one Parquet file, in order of event time, a row group a month; IS_NEWEST marks newest rows.

    A row that IS_DELETED, where the frame has that column, takes a row of its event time out of the offline store.

    So a reader can take one month after another out of many such files without holding any of them whole.

    Args:
        frame: rows with the columns of the schema; one athlete's are all in it, or none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = frame.sort_values([EVENT_TIME, RECORD_ID], kind="stable")
    rows = rows.assign(**{IS_DELETED: rows.get(IS_DELETED, False)})
    is_newest = (~rows[~rows[IS_DELETED]].duplicated(RECORD_ID, keep="last")).reindex(rows.index, fill_value=False)
    types = _types() | {IS_DELETED: pa.bool_(), IS_NEWEST: pa.bool_()}
    table = pa.Table.from_pandas(rows.assign(**{IS_NEWEST: is_newest}), pa.schema(types.items()), preserve_index=False)
    body = io.BytesIO()
    with pq.ParquetWriter(body, table.schema) as writer:
        for start, length in _runs(rows[EVENT_TIME].str[_MONTH].tolist()):
            writer.write_table(table.slice(start, length))
    return body.getvalue()


def write_history(s3: Any, store: OfflineStore, staged: Sequence[Path], moment: datetime) -> "WrittenHistory":
    """Write the rows of staged files to the offline store, all but each athlete's newest one.

    One month of all athletes is in memory at a time.

    Args:
        s3: a boto3 client (thread-safe).
        staged: files of `staged_body`.
        moment: when the write begins (aware); readers of earlier moments do not see its rows.

    Raises:
        botocore.exceptions.ClientError: of the first file that could not be written; others may be there.
    """
    writer = hashlib.sha256(f"{store.prefix} {moment.isoformat()}".encode()).hexdigest()[:16]
    files = rows = 0
    newest: list[dict[str, Any]] = []
    no_more: dict[str, str] = {}
    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        under_way: deque[Future[Any]] = deque()
        try:
            for month in _months(staged):
                newest += _chosen(month, is_newest=True).select(list(COLUMNS)).to_pylist()
                no_more |= _last_no_more(month)
                for event_hour, body, count in _bodies(_chosen(month, is_newest=False), moment):
                    key = store.key(event_hour, writer)
                    under_way.append(pool.submit(s3.put_object, Bucket=store.bucket, Key=key, Body=body))
                    files, rows = files + 1, rows + count
                    if len(under_way) >= 2 * PUTS_AT_ONCE:  # bodies that wait are memory
                        under_way.popleft().result()
            while under_way:
                under_way.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return WrittenHistory(files, rows, newest, no_more)


@dataclass(frozen=True)
class WrittenHistory:
    """What `write_history` wrote, and each athlete's newest row, which is to be put through the API."""

    files: int
    rows: int
    newest: list[dict[str, Any]]
    no_more: Mapping[str, str]
    """By athlete, the latest event time whose row was marked as deleted; athletes without any are absent."""


def _types() -> dict[str, Any]:
    import pyarrow as pa

    return {name: pa.string() if name in TEXT_COLUMNS else pa.float64() for name in COLUMNS}


def _months(staged: Sequence[Path]) -> Iterator["pa.Table"]:
    """The rows of one month after another, out of all files."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    groups: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in staged:
        with pq.ParquetFile(path) as file:
            event_time = file.schema_arrow.get_field_index(EVENT_TIME)
            for number in range(file.num_row_groups):
                span = file.metadata.row_group(number).column(event_time).statistics
                for period in pd.period_range(span.min[_MONTH], span.max[_MONTH], freq="M"):
                    groups[str(period)].append((path, number))
    for month in sorted(groups):
        parts = []
        for path, number in groups[month]:
            with pq.ParquetFile(path) as file:
                part = file.read_row_group(number, use_threads=False)
            parts.append(part.filter(pc.starts_with(part[EVENT_TIME], month)))
        yield pa.concat_tables(parts)


def _chosen(table: "pa.Table", *, is_newest: bool) -> "pa.Table":
    import pyarrow.compute as pc

    return table.filter(table[IS_NEWEST] if is_newest else pc.invert(table[IS_NEWEST]))


def _last_no_more(month: "pa.Table") -> dict[str, str]:
    """The last event time of a month that is no more, by athlete; months come in order."""
    deleted = month.filter(month[IS_DELETED]).sort_by(EVENT_TIME).select([RECORD_ID, EVENT_TIME])
    return dict(zip(*(column.to_pylist() for column in deleted.columns), strict=True))


def _bodies(table: "pa.Table", moment: datetime) -> Iterator[tuple[str, bytes, int]]:
    """Each hour of event time with its file and the number of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = (
        table.sort_by([(EVENT_TIME, "ascending"), (RECORD_ID, "ascending")])
        .select([*COLUMNS, IS_DELETED])
        .combine_chunks()
    )
    stamps = pa.array([moment] * len(table), pa.timestamp("us", tz="UTC"))
    for name in ("write_time", "api_invocation_time"):
        table = table.add_column(table.num_columns - 1, name, stamps)
    hours = [text[_HOUR] for text in table[EVENT_TIME].to_pylist()]
    for start, length in _runs(hours):
        body = io.BytesIO()
        pq.write_table(table.slice(start, length), body, use_dictionary=False, write_statistics=False)
        yield hours[start], body.getvalue(), length


def _runs(values: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Start and length of each stretch of equal neighbours."""
    start, last = 0, None
    index = -1
    for index, value in enumerate(values):
        if last is not None and value != last:
            yield start, index - start
            start = index
        last = value
    if last is not None:
        yield start, index + 1 - start
