"""Months, the unit in which tables are rewritten, and how far back one month looks.

A month of the tables is a function of the documents about it and about a bounded time before it, never of later ones.
So a run that rewrites the months from some day on writes what a rebuild of everything would, byte for byte:

* units (`unit_mends`) are told by the month itself and the CONTEXT_MONTHS before it;
* a multisport parent is judged by its legs of its own month, and a leg by its parent of at most MARGIN_DAYS before;
* of two records of one effort (`twins`) the one in the earlier month stays as it is;
* a day, and a VO2max reading, is told by documents and activities of that day alone;
* whether a day stands alone (`clock.days_alone`) takes the whole history to tell, but concerns days alone that lie
  years back: so months of so long ago are rewritten with all others (`needs_all`).
"""

from datetime import date, timedelta

CONTEXT_MONTHS = 12
"""A year: a winter or an injury without training leaves enough activities before it to tell a unit by."""
MARGIN_DAYS = 7
"""Efforts that cross midnight, and local days that differ from those in UTC, reach no further than this."""
REWRITTEN_ALONE_DAYS = 600
"""With the context before it, less than the three years after which a day may be found to stand alone."""
NO_MONTH = "unknown"
"""The month of rows without a day; it sorts after any `YYYY-MM`."""


def month_of(day: str | None) -> str:
    """`YYYY-MM` of a day as text; NO_MONTH without one."""
    return day[:7] if day else NO_MONTH


def months_before(month: str, count: int) -> str:
    """The month `count` months before `month`."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - count
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def context_start(since: date) -> date:
    """From which day on documents must be read so that the months from that of `since` on come out right."""
    first = months_before(f"{since:%Y-%m}", CONTEXT_MONTHS)
    return date.fromisoformat(f"{first}-01") - timedelta(days=MARGIN_DAYS)


def days_start(since: date) -> date:
    """As `context_start`, for documents that tell of days alone: these look back no further than the margin."""
    return since.replace(day=1) - timedelta(days=MARGIN_DAYS)


def needs_all(since: date, today: date) -> bool:
    """Whether months from that of `since` on, or those that are read with them, come out right with all others only."""
    return (today - since).days > REWRITTEN_ALONE_DAYS
