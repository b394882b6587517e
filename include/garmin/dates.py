"""The dates that Garmin writes, read in one way by the sources that file a document and by the tables made of it.

Text like ISO 8601, with or without an offset; milliseconds since 1970 in UTC; the date in words of account exports
before 2022 (`Aug 18, 2020 12:00:00 AM`, see `date_text`), also inside `{"date": …}`.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

from include.garmin.date_text import moment_in_words

_LONGEST_TEXT = 40
_YEARS = range(1900, 2201)
"""What `datetime64[ns]` holds. Whether a date can be true is another question: see `include.curate.clock`."""
ACTIVITY_STARTS = ("startTimeLocal", "startTimeGMT", "startTimeGmt", "beginTimestamp")
"""Fields that tell when an activity began; the first that can be read decides the day."""


def read_moment(value: object) -> datetime | None:
    """The moment that a JSON value tells, without zone (with an offset: in UTC); None when it tells none."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None) if math.isfinite(value) else None
        else:
            moment = _of_text(value) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and moment.year in _YEARS else None


def read_day(value: object) -> date | None:
    """The day that a JSON value tells; None when it tells none."""
    moment = read_moment(value.get("date") if isinstance(value, Mapping) else value)
    return moment.date() if moment is not None else None


def first_read_day(item: Mapping[str, object], fields: tuple[str, ...] = ACTIVITY_STARTS) -> date | None:
    """The day in the first of `fields` that tells one."""
    return next((day for name in fields if (day := read_day(item.get(name))) is not None), None)


@lru_cache(maxsize=8192)  # an export tells the same days in every family of its members
def _of_text(text: str) -> datetime:
    if not text[:4].isdigit():
        return moment_in_words(text)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
