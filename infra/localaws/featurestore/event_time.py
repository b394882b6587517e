"""Event times: the two spellings that Feature Store accepts, as one number that sorts."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?(Z|[+-]\d\d:?\d\d)")
_LATEST_S = 253_402_300_799  # 9999-12-31T23:59:59Z


@lru_cache(maxsize=65536)
def event_time_us(text: str, feature_type: str) -> int:
    """Microseconds since 1970 of an event time: ISO-8601 for a String feature, Unix seconds for a Fractional one.

    Raises:
        ValueError: where the text is neither.
    """
    if feature_type == "Fractional":
        seconds = float(text)
        if not 0 <= seconds <= _LATEST_S:
            raise ValueError(f"{text} is not a Unix time in seconds")
        return int(seconds * 1_000_000)
    if not _ISO.fullmatch(text):
        raise ValueError(f"{text} is not in ISO-8601 format, e.g. 2026-01-31T00:00:00Z")
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def hour_partition(moment_us: int) -> str:
    """`year=…/month=…/day=…/hour=…` of an event time, in UTC."""
    return f"{_utc(moment_us):year=%Y/month=%m/day=%d/hour=%H}"


def file_stamp(moment_us: int) -> str:
    """An event time as AWS writes it in names of files, e.g. `20260131T000000Z`."""
    return f"{_utc(moment_us):%Y%m%dT%H%M%SZ}"


def _utc(moment_us: int) -> datetime:
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC)
