"""Feature rows into and out of SageMaker Feature Store: single rows through its API, all of them from its Parquet."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from include.features.schema import COLUMNS, EVENT_TIME, NAMES, OPTIONAL, RECORD_ID, TEXT_COLUMNS

_STORE_COLUMNS = ("write_time", "api_invocation_time", "is_deleted")


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

    As the newest row is put only once the history before it is in the offline store, the day of the online record says
    through when an athlete's history is complete. A group of a new feature schema has no record of an athlete, so it
    gets all rows.
    """
    if first_day is None or frame.empty:
        return frame
    newest = latest(client, feature_group, str(frame[RECORD_ID].iloc[0]))
    if newest is None:
        return frame
    # That day is put again: the put of its row may have reached one store and not the other.
    complete_through = date.fromisoformat(newest[EVENT_TIME][:10])
    return frame[frame[EVENT_TIME] >= f"{min(first_day, complete_through)}"]


def put_row(client: Any, feature_group: str, row: Mapping[str, Any]) -> None:
    """Put an athlete's newest row to both stores; the rows before it must be in the offline store by then.

    Raises:
        botocore.exceptions.ClientError: the put failed.
    """
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
    parts = [_read(path) for path in paths]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    import pyarrow as pa

    try:
        rows = pa.concat_tables(parts, promote_options="permissive").to_pandas()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the Parquet files of the offline store differ in their columns' types: {error}") from error
    return _as_of(rows.reindex(columns=[*COLUMNS, *_STORE_COLUMNS]), as_of)


def _read(path: Path) -> Any:
    """The columns of one file that are ours; an optional feature may have none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(use_threads=False)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path.name} is no Parquet file: {error}") from error
    wanted = (*COLUMNS, *_STORE_COLUMNS)
    if missing := [name for name in wanted if name not in table.column_names and name not in OPTIONAL]:
        raise ValueError(f"{path.name} is not of this feature group: it has no column {', '.join(missing)}")
    return _with_times_in_utc(table.select([name for name in wanted if name in table.column_names]))


def _with_times_in_utc(table: Any) -> Any:
    """One type for the store's own times: Spark writes them in an old form of Parquet that knows no time zone."""
    import pyarrow as pa

    for name in ("write_time", "api_invocation_time"):
        index = table.schema.get_field_index(name)
        if pa.types.is_timestamp(table.schema.field(index).type):
            table = table.set_column(index, name, table[name].cast(pa.timestamp("us", tz="UTC"), safe=False))
    return table


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
