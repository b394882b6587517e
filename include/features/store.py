"""Feature rows into and out of SageMaker Feature Store: single rows through its API, all of them from its Parquet."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.features.schema import COLUMNS, EVENT_TIME, NAMES, OPTIONAL, RECORD_ID, TEXT_COLUMNS

IS_DELETED = "is_deleted"
STORE_COLUMNS = ("write_time", "api_invocation_time", IS_DELETED)


def to_record(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """A feature row as a Feature Store record; unknown features (None, NaN) are left out, as AWS has no null."""
    record = [{"FeatureName": name, "ValueAsString": str(row[name])} for name in TEXT_COLUMNS]
    for name in NAMES:
        value = row[name]
        if value is not None and not math.isnan(value):
            record.append({"FeatureName": name, "ValueAsString": repr(float(value))})
    return record


@dataclass(frozen=True)
class Put:
    """What the feature group needs of an athlete: rows to put, and rows that it holds and that are no more."""

    rows: pd.DataFrame
    no_more: pd.DataFrame
    """Rows without features, of event times that the athlete's history no longer has."""

    @property
    def frame(self) -> pd.DataFrame:
        """Both, with IS_DELETED set on those that are no more."""
        parts = [self.rows.assign(**{IS_DELETED: False}), self.no_more.assign(**{IS_DELETED: True})]
        return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def rows_to_put(client: Any, feature_group: str, frame: pd.DataFrame, first_day: date | None) -> Put:
    """An athlete's rows from `first_day` on (None: all), and any before it that the group may lack.

    As the newest row is put only once the history before it is in the offline store, the day of the online record says
    through when an athlete's history is complete. A group of a new feature schema has no record of an athlete, so it
    gets all rows.

    The online record says how many days of history were before it. So days that the group holds and the history no
    longer has are known: a clock was wrong by years, or the first or the last activity was deleted.
    """
    none = frame.iloc[:0]
    if frame.empty:
        return Put(frame, none)
    athlete_id = str(frame[RECORD_ID].iloc[0])
    newest = latest(client, feature_group, athlete_id)
    if newest is None:
        return Put(frame, none)
    # That day is put again: the put of its row may have reached one store and not the other.
    complete_through = date.fromisoformat(newest[EVENT_TIME][:10])
    first, last = (date.fromisoformat(frame[EVENT_TIME].iloc[end][:10]) for end in (0, -1))
    days = range(int(float(newest.get("history_days", 0))) + 1)
    held = (complete_through - timedelta(days=number) for number in days)
    no_more = sorted(day for day in held if not first <= day <= last)
    start = min(first_day, complete_through, last) if first_day else first
    return Put(frame[frame[EVENT_TIME] >= f"{start}"], _no_more(athlete_id, no_more, none))


def _no_more(athlete_id: str, days: Sequence[date], none: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({RECORD_ID: athlete_id, EVENT_TIME: [f"{day}T00:00:00Z" for day in days]})
    return rows.reindex(columns=none.columns).astype(none.dtypes) if days else none


def put_row(client: Any, feature_group: str, row: Mapping[str, Any], no_more_after: str | None = None) -> None:
    """Put an athlete's newest row to both stores; the rows before it must be in the offline store by then.

    Args:
        no_more_after: the latest event time that the group holds of the athlete and the history no longer has. Feature
            Store never replaces an online record by one of an earlier event time, so it is deleted first. A soft
            deletion would keep the event time, and a deletion counts only when it is later than the record.

    Raises:
        botocore.exceptions.ClientError: the put failed.
    """
    if no_more_after is not None and no_more_after > row[EVENT_TIME]:
        later = datetime.fromisoformat(no_more_after) + timedelta(seconds=1)
        client.delete_record(
            FeatureGroupName=feature_group,
            RecordIdentifierValueAsString=str(row[RECORD_ID]),
            EventTime=f"{later:%Y-%m-%dT%H:%M:%SZ}",
            TargetStores=["OnlineStore"],  # the offline store has a mark of each day that is no more
            DeletionMode="HardDelete",
        )
    client.put_record(FeatureGroupName=feature_group, Record=to_record(row))


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
    names = set(table.column_names)  # Arrow makes this list anew whenever it is asked for, and files are many
    if missing := [name for name in wanted if name not in names and name not in OPTIONAL]:
        raise ValueError(f"{path.name} is not of this feature group: it has no column {', '.join(missing)}")
    return _with_times_in_utc(table.select([name for name in wanted if name in names]))


def _with_times_in_utc(table: Any) -> Any:
    """One type for the store's own times: Spark writes them in an old form of Parquet that knows no time zone."""
    import pyarrow as pa

    for name in {"write_time", "api_invocation_time"} & set(table.column_names):
        index = table.schema.get_field_index(name)
        if index >= 0 and pa.types.is_timestamp(table.schema.field(index).type):
            table = table.set_column(index, name, table[name].cast(pa.timestamp("us", tz="UTC"), safe=False))
    return table


def _as_of(rows: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    for name in ("write_time", "api_invocation_time"):
        rows[name] = pd.to_datetime(rows[name], utc=True, format="ISO8601")
    moment = pd.to_datetime(rows[EVENT_TIME], utc=True, format="ISO8601")
    rows = rows[(moment <= as_of) & (rows["api_invocation_time"] <= as_of)]
    rows = rows.sort_values([RECORD_ID, EVENT_TIME, "api_invocation_time", "write_time"], kind="stable")
    rows = rows.drop_duplicates([RECORD_ID, EVENT_TIME], keep="last")
    rows = rows[~rows[IS_DELETED].astype(bool)]
    rows = rows[list(COLUMNS)].reset_index(drop=True)
    rows[list(NAMES)] = rows[list(NAMES)].astype("float64")
    return rows
