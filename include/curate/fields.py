"""Reading single values out of JSON that may hold anything: a value is right, absent, or counted as unreadable.

A number, an id, a time or a flag means the same in whatever JSON type it was written: files pass through tools that
write every value as text, or ids as numbers with a decimal point.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.garmin.dates import read_day, read_moment, read_wall_clock

_LARGEST = 1e15
_LONGEST_TEXT = 40
_WHOLE_WITH_POINT = re.compile(r"([0-9]+)\.0+")
_FLAGS: Mapping[object, bool] = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}


@dataclass(frozen=True)
class Fields:
    """One JSON object; `unread` counts the values that are there and make no sense, by field."""

    item: Mapping[str, Any]
    unread: Counter[str]

    def number(self, name: str, scale: float = 1.0) -> float | None:
        """The finite number in `name`, also when it is written as text, times `scale`."""
        value = self.item.get(name)
        if value is None:
            return None
        if type(value) is str:
            value = _number_in(value)
        if (type(value) is float or type(value) is int) and -_LARGEST < value < _LARGEST:  # NaN is not, nor is a bool
            return float(value) if scale == 1.0 else value * scale
        self.unread[f"{name}: not a number"] += 1
        return None

    def positive(self, name: str, scale: float = 1.0) -> float | None:
        """As `number`; 0 and below mean "not measured" (Garmin's codes for it are 0, -1 and -2)."""
        value = self.number(name, scale)
        return value if value is not None and value > 0 else None

    def identifier(self, name: str) -> str | None:
        """An id, as text: 17, 17.0, "17" and "17.0" are one id."""
        value = self.item.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
            return str(value) if value else None
        if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable() and value.isascii():
            text = value.strip()
            whole = _WHOLE_WITH_POINT.fullmatch(text)
            return (whole[1] if whole else text) or None
        if value is not None:
            self.unread[f"{name}: not an id"] += 1
        return None

    def flag(self, name: str) -> bool | None:
        """Yes or no, also as 1 and 0 or as text."""
        value = self.item.get(name)
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _FLAGS.get(value.strip().lower())
        return _FLAGS.get(value) if type(value) is int else None

    def text(self, name: str) -> str | None:
        """Text that is not empty; anything else is None."""
        value = self.item.get(name)
        return value if isinstance(value, str) and value else None

    def moment(self, name: str) -> datetime | None:
        """A moment in UTC, without zone: ISO-like text, whose offset counts, or epoch milliseconds."""
        return self._time(name, read_moment)

    def wall_clock(self, name: str) -> datetime | None:
        """What the clock on the wall showed: an offset or a Z behind a local time does not move it."""
        return self._time(name, read_wall_clock)

    def day(self, name: str = "calendarDate") -> str | None:
        """A calendar date as `YYYY-MM-DD`, of text, of `{"date": "Aug 18, 2020 12:00:00 AM"}` or of epoch ms."""
        value = self.item.get(name)
        if isinstance(value, dict):
            value = value.get("date")
        if value is None:
            return None
        day = read_day(value)
        if day is None:
            self.unread[f"{name}: not a date"] += 1
            return None
        return day.isoformat()

    def part(self, name: str) -> "Fields":
        """The object in `name`; empty when there is none."""
        return Fields(self._object(name, self.item.get(name)) or {}, self.unread)

    def parts(self, name: str) -> "list[Fields]":
        """The objects in the list `name`; empty when there is none."""
        value = self.item.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.unread[f"{name}: not a list"] += 1
            return []
        found = [self._object(name, each) for each in value]
        return [Fields(each, self.unread) for each in found if each is not None]

    def _object(self, name: str, value: object) -> dict[str, Any] | None:
        if isinstance(value, dict):
            return value
        if value is not None:
            self.unread[f"{name}: not an object"] += 1
        return None

    def _time(self, name: str, read: Callable[[object], datetime | None]) -> datetime | None:
        value = self.item.get(name)
        if value is None:
            return None
        moment = read(value)
        if moment is None:
            self.unread[f"{name}: not a time"] += 1
        return moment


def _number_in(text: str) -> float | None:
    """A number written as text; None for words, also for "NaN" and "Infinity"."""
    try:
        number = float(text) if len(text) <= _LONGEST_TEXT and "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
