"""The dates that Garmin writes, read in one way by the sources that file a document and by the tables made of it.

Text like ISO 8601, with or without an offset; milliseconds since 1970 in UTC, also as text; the date in words of
account exports before 2022 (`Aug 18, 2020 12:00:00 AM`, see `date_text`), also inside `{"date": …}`.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

from include.garmin.date_text import moment_in_words

_LONGEST_TEXT = 40
_YEARS = range(1900, 2201)
"""What `datetime64[ns]` holds. Whether a date can be true is another question: see `include.curate.clock`."""
_EPOCH_MS = re.compile(r"-?[0-9]{9,14}")
"""A date without hyphens has eight digits."""
ACTIVITY_STARTS = ("startTimeLocal", "startTimeGMT", "startTimeGmt", "beginTimestamp")
"""Fields that tell when an activity began; the first that can be read decides the day."""


def read_moment(value: object) -> datetime | None:
    """The moment that a JSON value tells, without zone (with an offset: in UTC); None when it tells none."""
    try:
        moment = _read(value)
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and moment.year in _YEARS else None


def read_wall_clock(value: object) -> datetime | None:
    """What the clock on the wall showed: an offset or a Z that stands behind a local time does not move it."""
    try:
        moment = _read(value)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=None) if moment is not None and moment.year in _YEARS else None


def read_day(value: object) -> date | None:
    """The day that a JSON value tells, by the wall clock; None when it tells none."""
    moment = read_wall_clock(value.get("date") if isinstance(value, Mapping) else value)
    return moment.date() if moment is not None else None


def first_read_day(item: Mapping[str, object], fields: tuple[str, ...] = ACTIVITY_STARTS) -> date | None:
    """The day in the first of `fields` that tells one."""
    return next((day for name in fields if (day := read_day(item.get(name))) is not None), None)


def _read(value: object) -> datetime | None:
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return None
        if value[4:5] == "-" or not _EPOCH_MS.fullmatch(value):
            return _of_text(value)
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None) if math.isfinite(value) else None
    return None


@lru_cache(maxsize=8192)  # an export tells the same days in every family of its members
def _of_text(text: str) -> datetime:
    return datetime.fromisoformat(text) if text[:4].isdigit() else moment_in_words(text)
