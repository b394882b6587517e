"""Dates as Java writes them in words, which is how account exports before 2022 tell a day."""

import re
from datetime import datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_IN_WORDS = re.compile(
    r"(?P<month>[a-z]{3})[a-z]*\.? (?P<day>\d{1,2}),? (?P<year>\d{4})"
    r"(?:,|,? at)? (?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?: (?P<half>[ap])\.?m\.?)?"
)
_SPACES = re.compile(r"[\s\u00a0\u202f]+")
NOON = 12


def moment_in_words(text: str) -> datetime:
    """The moment that `Aug 18, 2020 12:00:00 AM` tells, in any form that Java gave it by default.

    Java 9 put a comma behind the year and Java 20 a narrow no-break space (U+202F) before AM: the same program writes
    another text on another Java. Months are read in English whatever the locale of this machine.

    Raises:
        ValueError: the text is no such date, or names a day that no calendar has.
    """
    found = _IN_WORDS.fullmatch(_SPACES.sub(" ", text).strip().lower())
    if found is None or found["month"] not in _MONTHS:
        raise ValueError(f"no date in words: {text[:40]!r}")
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= NOON:
            raise ValueError(f"no hour of a half day: {hour}")
        hour = hour % NOON + (NOON if found["half"] == "p" else 0)
    month = _MONTHS.index(found["month"]) + 1
    return datetime(int(found["year"]), month, int(found["day"]), hour, int(found["minute"]), int(found["second"]))
