"""The few columns of the offline store that say which athlete has a reading on which day, of all athletes at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.days import Days, Flags, Floats
from include.features.schema import EVENT_TIME, RECORD_ID, SPORT
from include.features.store import STORE_COLUMNS, in_one, read_columns

KEY_COLUMNS = (RECORD_ID, EVENT_TIME, SPORT, "vo2max_last", "reading_age_days")
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class OfflineKeys:
    """The rows of the store as they stood at a moment, by athlete and day.

    Attributes:
        athletes: their names, in order.
        athlete: position in `athletes`.
        day: days since 1970-01-01.
        sport: a number for each sport, in the order of their names.
        has_reading: whether there was a reading up to that day.
        reading_age_days: how long ago the last one was, NaN where there was none.
    """

    athletes: tuple[str, ...]
    athlete: npt.NDArray[np.int64]
    day: Days
    sport: npt.NDArray[np.int64]
    has_reading: Flags
    reading_age_days: Floats

    def __len__(self) -> int:
        return len(self.day)


def read_keys(paths: Iterable[Path], as_of: datetime) -> OfflineKeys:
    """The keys of all rows that `include.features.store.read_offline` would give.

    Raises:
        ValueError: a file is no Parquet file, or lacks one of the columns.
    """
    tables = [read_columns(path, (*KEY_COLUMNS, *STORE_COLUMNS)) for path in paths]
    if not tables:
        nothing = np.zeros(0, dtype=np.int64)
        return OfflineKeys((), nothing, nothing, nothing, nothing.astype(bool), nothing.astype(float))
    table = in_one(tables)
    columns = {
        "event": _nanoseconds(table[EVENT_TIME]),
        "written": _nanoseconds(table["write_time"]),
        "invoked": _nanoseconds(table["api_invocation_time"]),
        "is_deleted": table["is_deleted"].to_numpy().astype(bool),
        "last": table["vo2max_last"].to_numpy().astype(float),
        "age": table["reading_age_days"].to_numpy().astype(float),
    }
    columns["athlete"], names = _ranked(table[RECORD_ID])
    columns["sport"], _ = _ranked(table[SPORT])
    moment_ns = pd.Timestamp(as_of).as_unit("ns").value
    known = (columns["event"] <= moment_ns) & (columns["invoked"] <= moment_ns)
    columns = {name: values[known] for name, values in columns.items()}
    order = np.lexsort([columns[name] for name in ("written", "invoked", "event", "athlete")])
    athlete, event = columns["athlete"][order], columns["event"][order]
    is_newest = np.append((athlete[1:] != athlete[:-1]) | (event[1:] != event[:-1]), True)[: len(order)]
    rows = order[is_newest & ~columns["is_deleted"][order]]
    left, position = np.unique(columns["athlete"][rows], return_inverse=True)
    return OfflineKeys(
        athletes=tuple(names[number] for number in left),
        athlete=position,
        day=columns["event"][rows] // _DAY_NS,
        sport=columns["sport"][rows],
        has_reading=~np.isnan(columns["last"][rows]),
        reading_age_days=columns["age"][rows],
    )


def _coded(column: Any) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Position of each value among the distinct ones: a store has few of them, however many rows it has."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def _ranked(texts: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The place of each text among all of them in order, and all of them in order."""
    codes, found = _coded(texts)
    ordered = sorted(str(text) for text in found)
    place = {text: number for number, text in enumerate(ordered)}
    return np.array([place[str(text)] for text in found], dtype=np.int64)[codes], ordered


def _nanoseconds(moments: Any) -> npt.NDArray[np.int64]:
    codes, found = _coded(moments)
    in_utc = pd.to_datetime(pd.Series(found), utc=True, format="ISO8601").dt.tz_convert(None)
    values: npt.NDArray[np.int64] = in_utc.to_numpy().astype("datetime64[ns]").astype(np.int64)
    return values[codes]
