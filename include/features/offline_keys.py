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
from include.features.store import STORE_COLUMNS, read_columns

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
    names: dict[str, int] = {}
    sports: dict[str, int] = {}
    parts = [_columns(read_columns(path, (*KEY_COLUMNS, *STORE_COLUMNS)), names, sports) for path in paths]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    if not columns:
        nothing = np.zeros(0, dtype=np.int64)
        return OfflineKeys((), nothing, nothing, nothing, nothing.astype(bool), nothing.astype(float))
    moment_ns = pd.Timestamp(as_of).as_unit("ns").value
    known = (columns["event"] <= moment_ns) & (columns["invoked"] <= moment_ns)
    columns = {name: values[known] for name, values in columns.items()}
    columns["athlete"] = _rank(names)[columns["athlete"]]
    columns["sport"] = _rank(sports)[columns["sport"]]
    order = np.lexsort([columns[name] for name in ("written", "invoked", "event", "athlete")])
    athlete, event = columns["athlete"][order], columns["event"][order]
    is_newest = np.append((athlete[1:] != athlete[:-1]) | (event[1:] != event[:-1]), True)[: len(order)]
    rows = order[is_newest & ~columns["is_deleted"][order]]
    left, position = np.unique(columns["athlete"][rows], return_inverse=True)
    ordered = sorted(names)
    return OfflineKeys(
        athletes=tuple(ordered[number] for number in left),
        athlete=position,
        day=columns["event"][rows] // _DAY_NS,
        sport=columns["sport"][rows],
        has_reading=~np.isnan(columns["last"][rows]),
        reading_age_days=columns["age"][rows],
    )


def _columns(table: Any, names: dict[str, int], sports: dict[str, int]) -> dict[str, npt.NDArray[Any]]:
    """The columns of one file as numbers; new athletes and sports are given the next number."""
    frame = table.to_pandas()
    return {
        "athlete": _numbered(frame[RECORD_ID], names),
        "sport": _numbered(frame[SPORT], sports),
        "event": _nanoseconds(frame[EVENT_TIME]),
        "written": _nanoseconds(frame["write_time"]),
        "invoked": _nanoseconds(frame["api_invocation_time"]),
        "is_deleted": frame["is_deleted"].to_numpy(dtype=bool),
        "last": frame["vo2max_last"].to_numpy(dtype=float),
        "age": frame["reading_age_days"].to_numpy(dtype=float),
    }


def _numbered(texts: pd.Series, numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    codes, found = pd.factorize(texts.to_numpy())
    return np.array([numbers.setdefault(str(text), len(numbers)) for text in found], dtype=np.int64)[codes]


def _nanoseconds(moments: pd.Series) -> npt.NDArray[np.int64]:
    codes, found = pd.factorize(moments)  # most rows of a file share their moments
    values = pd.DatetimeIndex(pd.to_datetime(pd.Series(found), utc=True, format="ISO8601")).as_unit("ns")
    return values.asi8[codes]


def _rank(numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    """The place of each numbered text among all of them in order."""
    rank = np.zeros(len(numbers), dtype=np.int64)
    rank[[numbers[text] for text in sorted(numbers)]] = np.arange(len(numbers))
    return rank
