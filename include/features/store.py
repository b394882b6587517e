"""Feature rows into and out of SageMaker Feature Store: online through the runtime API, offline from its Parquet."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.features.schema import COLUMNS, EVENT_TIME, NAMES, OPTIONAL, RECORD_ID, TEXT_COLUMNS

PUTS_AT_ONCE = 4
"""More would only meet the quota of one record identifier sooner: 500 write units a second."""
STORE_COLUMNS = ("write_time", "api_invocation_time", "is_deleted")


def to_record(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """A feature row as a Feature Store record; unknown features (None, NaN) are left out, as AWS has no null."""
    record = [{"FeatureName": name, "ValueAsString": str(row[name])} for name in TEXT_COLUMNS]
    for name in NAMES:
        value = row[name]
        if value is not None and not math.isnan(value):
            record.append({"FeatureName": name, "ValueAsString": repr(float(value))})
    return record


def rows_to_put(client: Any, feature_group: str, frame: pd.DataFrame, first_day: date | None) -> pd.DataFrame:
    """An athlete's rows from `first_day` on (None: all), and any before it that the group may lack.

    As `put_rows` puts the newest row last, the day of the online record says through when an athlete's history is
    complete. A group of a new feature schema has no record of an athlete, so it gets all rows.
    """
    if first_day is None or frame.empty:
        return frame
    newest = latest(client, feature_group, str(frame[RECORD_ID].iloc[0]))
    if newest is None:
        return frame
    # That day is put again: the put of its row may have reached one store and not the other.
    complete_through = date.fromisoformat(newest[EVENT_TIME][:10])
    return frame[frame[EVENT_TIME] >= f"{min(first_day, complete_through)}"]


def put_rows(client: Any, feature_group: str, frame: pd.DataFrame) -> int:
    """Put the feature rows of one athlete, which are in the order of their days; returns how many.

    The history goes to the offline store alone, PUTS_AT_ONCE rows side by side: the online store would take each row
    and keep none but the newest. That one is put last, to both stores, so that puts that broke off are noticed by
    `rows_to_put`. Putting a row again is harmless: the latest put counts.

    Args:
        client: a boto3 `sagemaker-featurestore-runtime` client (thread-safe).

    Raises:
        ValueError: rows of more than one athlete.
        botocore.exceptions.ClientError: of the first put that failed; rows after it may not have been put.
    """
    if frame.empty:
        return 0
    if frame[RECORD_ID].nunique() > 1:
        raise ValueError("put_rows takes the rows of one athlete at a time")
    records = [to_record(dict(zip(COLUMNS, row, strict=True))) for row in frame[list(COLUMNS)].itertuples(index=False)]

    def put_history(record: list[dict[str, str]]) -> None:
        client.put_record(FeatureGroupName=feature_group, Record=record, TargetStores=["OfflineStore"])

    with ThreadPoolExecutor(max_workers=PUTS_AT_ONCE) as pool:
        for _ in pool.map(put_history, records[:-1]):
            pass
    client.put_record(FeatureGroupName=feature_group, Record=records[-1])
    return len(records)


def latest(client: Any, feature_group: str, athlete_id: str) -> dict[str, str] | None:
    """The online record of an athlete as {feature name: text}, None where there is none."""
    answer = client.get_record(FeatureGroupName=feature_group, RecordIdentifierValueAsString=athlete_id)
    record = answer.get("Record")
    return {item["FeatureName"]: item["ValueAsString"] for item in record} if record else None


def read_offline(paths: Iterable[Path], as_of: datetime) -> pd.DataFrame:
    """Feature rows as they stood at `as_of` (aware): one per athlete and event time, in that order.

    Of the rows with event time and invocation time up to `as_of`, the one with the newest invocation time counts, then
    the newest write time; where that one is a deletion there is no row.

    Raises:
        ValueError: a file is no Parquet file, or lacks a column of the schema.
    """
    return _rows_as_of([read_columns(path) for path in paths], as_of)


def read_offline_groups(
    paths: Iterable[Path], as_of: datetime, groups: Sequence[Collection[str]]
) -> Iterator[pd.DataFrame]:
    """As `read_offline`, of each group of athletes by itself: each file is read once, and no other rows are kept.

    Raises:
        ValueError: a file is no Parquet file, or lacks a column of the schema.
    """
    if not groups:
        return
    numbers = {athlete: number for number, group in enumerate(groups) for athlete in group}
    parts: list[list[Any]] = [[] for _ in groups]
    for path in paths:
        table = read_columns(path)
        codes, athletes = pd.factorize(table[RECORD_ID].to_numpy())
        group = np.array([numbers.get(str(athlete), -1) for athlete in athletes], dtype=np.int64)[codes]
        kept = np.flatnonzero(group >= 0)
        rows = kept[np.argsort(group[kept], kind="stable")]
        found = table.take(rows)  # in one go: to filter many small files by group takes longer than to read them
        edges = np.searchsorted(group[rows], np.arange(len(groups) + 1))
        for number in np.unique(group[rows]):
            parts[number].append(found.slice(edges[number], edges[number + 1] - edges[number]))
    for number in range(len(groups)):
        yield _rows_as_of(parts[number], as_of)
        parts[number] = []


def _rows_as_of(parts: list[Any], as_of: datetime) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return _as_of(in_one(parts).to_pandas().reindex(columns=[*COLUMNS, *STORE_COLUMNS]), as_of)


def in_one(parts: list[Any]) -> Any:
    """One Arrow table of those of several files.

    Raises:
        ValueError: a column is text in one file and a number in another.
    """
    import pyarrow as pa

    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the Parquet files of the offline store differ in their columns' types: {error}") from error


def read_columns(path: Path, wanted: Sequence[str] = (*COLUMNS, *STORE_COLUMNS)) -> Any:
    """The columns of one file that are ours, as an Arrow table; an optional feature may have none.

    Raises:
        ValueError: it is no Parquet file, or lacks a column of the schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(list(wanted), use_threads=False)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path.name} is no Parquet file: {error}") from error
    if missing := [name for name in wanted if name not in table.column_names and name not in OPTIONAL]:
        raise ValueError(f"{path.name} is not of this feature group: it has no column {', '.join(missing)}")
    return table.select([name for name in wanted if name in table.column_names])


def _as_of(rows: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    for name in ("write_time", "api_invocation_time"):
        rows[name] = pd.to_datetime(rows[name], utc=True, format="ISO8601")
    moment = pd.to_datetime(rows[EVENT_TIME], utc=True, format="ISO8601")
    rows = rows[(moment <= as_of) & (rows["api_invocation_time"] <= as_of)]
    rows = rows.sort_values([RECORD_ID, EVENT_TIME, "api_invocation_time", "write_time"], kind="stable")
    rows = rows.drop_duplicates([RECORD_ID, EVENT_TIME], keep="last")
    rows = rows[~rows["is_deleted"].astype(bool)]
    rows = rows[list(COLUMNS)].reset_index(drop=True)
    rows[list(NAMES)] = rows[list(NAMES)].astype("float64")
    return rows
