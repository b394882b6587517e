"""Reading single values out of JSON that may hold anything: a value is right, absent, or counted as unreadable."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.garmin.dates import read_day, read_moment

_LARGEST = 1e15


@dataclass(frozen=True)
class Fields:
    """One JSON object; `unread` counts the values that are there and make no sense, by field."""

    item: Mapping[str, Any]
    unread: Counter[str]

    def number(self, name: str, scale: float = 1.0) -> float | None:
        """The finite number in `name`, times `scale`."""
        value = self.item.get(name)
        if value is None:
            return None
        if (type(value) is float or type(value) is int) and -_LARGEST < value < _LARGEST:  # NaN is not, nor is a bool
            return float(value) if scale == 1.0 else value * scale
        self.unread[f"{name}: not a number"] += 1
        return None

    def positive(self, name: str, scale: float = 1.0) -> float | None:
        """As `number`; 0 and below mean "not measured" (Garmin's codes for it are 0, -1 and -2)."""
        value = self.number(name, scale)
        return value if value is not None and value > 0 else None

    def identifier(self, name: str) -> str | None:
        """An id, as text."""
        value = self.item.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
            return str(value) if value else None
        if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable() and value.isascii():
            return value.strip() or None
        if value is not None:
            self.unread[f"{name}: not an id"] += 1
        return None

    def flag(self, name: str) -> bool | None:
        value = self.item.get(name)
        return value if isinstance(value, bool) else None

    def moment(self, name: str) -> datetime | None:
        """A wall-clock moment without zone: ISO-like text, or epoch milliseconds read as UTC."""
        value = self.item.get(name)
        if value is None:
            return None
        moment = read_moment(value)
        if moment is None:
            self.unread[f"{name}: not a time"] += 1
        return moment

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
