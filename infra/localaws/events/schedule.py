"""Schedule expressions, `rate(…)` and `cron(…)`, as the times at which they fire."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from infra.localaws.events.cron import ScheduleError, parse_cron

Next = Callable[[datetime, datetime], datetime | None]
"""(rule made at, moment) -> the first time strictly after the moment, or None for never."""

_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@lru_cache(maxsize=512)
def parse_schedule(expression: str) -> Next:
    """The times of a schedule expression (ScheduleError)."""
    if match := re.fullmatch(r"cron\((.*)\)", expression):
        cron = parse_cron(match[1])
        return lambda _, moment: cron.next_after(moment)
    if match := re.fullmatch(r"rate\(([1-9]\d{0,8}) (minute|hour|day)(s?)\)", expression):
        count = int(match[1])
        if (count == 1) == bool(match[3]):
            raise ScheduleError(f"rate of {count} {match[2]}{match[3]}: one is singular, more are plural")
        period = count * _UNITS[match[2]]
        return lambda made, moment: _next_multiple(made, period, moment)
    raise ScheduleError(f"{expression!r} is neither rate(…) nor cron(…)")


def _next_multiple(made: datetime, period: timedelta, moment: datetime) -> datetime:
    """The rule fires whole periods after it was made, over restarts too."""
    elapsed = max(moment - made, timedelta(0))
    return made.astimezone(UTC) + (elapsed // period + 1) * period
