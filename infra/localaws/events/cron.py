"""EventBridge's cron expressions: six fields, in UTC, with ?, L, W and #."""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MONTHS = {
    name: n
    for n, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)
}
WEEKDAYS = {name: n for n, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
FIRST_YEAR, LAST_YEAR = 1970, 2199

DaysOfMonth = Callable[[int, int], set[int]]
"""The days of a (year, month) on which to fire."""


class ScheduleError(ValueError):
    """The expression is not one that EventBridge takes."""


@dataclass(frozen=True)
class Cron:
    """A parsed expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DaysOfMonth
    months: tuple[int, ...]
    years: frozenset[int]

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time strictly after `moment` (aware), to the minute; None where there is none before 2200."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._days_from(start.date()):
            earliest = (start.hour, start.minute) if day == start.date() else (0, 0)
            for hour in self.hours:
                for minute in self.minutes:
                    if (hour, minute) >= earliest:
                        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in sorted(y for y in self.years if y >= first.year):
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                for day in sorted(self.days(year, month)):
                    if (candidate := date(year, month, day)) >= first:
                        yield candidate


def parse_cron(text: str) -> Cron:
    """Parse what stands between the parentheses of `cron(…)` (ScheduleError)."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise ScheduleError(f"a cron expression has six fields, not {len(fields)}")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ScheduleError("one of day-of-month and day-of-week must be ?, and not both")
    days = _days_of_week(day_of_week) if day_of_month == "?" else _days_of_month(day_of_month)
    return Cron(
        minutes=_numbers(minutes, 0, 59),
        hours=_numbers(hours, 0, 23),
        days=days,
        months=_numbers(month, 1, 12, MONTHS),
        years=frozenset(_numbers(year, FIRST_YEAR, LAST_YEAR)),
    )


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """The values of a field of numbers, names, ranges, lists and increments."""
    values: set[int] = set()
    for part in field.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, 1, high, None) if slash else 1
        if span == "*":
            first, last = low, high
        elif "-" in span:
            left, _, right = span.partition("-")
            first, last = _number(left, low, high, names), _number(right, low, high, names)
            if first > last:
                raise ScheduleError(f"the range {span} runs backwards")
        else:
            first = _number(span, low, high, names)
            last = high if slash else first
        values.update(range(first, last + 1, step))
    return tuple(sorted(values))


def _number(text: str, low: int, high: int, names: dict[str, int] | None) -> int:
    value = (names or {}).get(text)
    if value is None:
        if not text.isascii() or not text.isdigit():
            raise ScheduleError(f"{text!r} is no value of the field")
        value = int(text)
    if not low <= value <= high:
        raise ScheduleError(f"{text} is not within {low} and {high}")
    return value


def _days_of_month(field: str) -> DaysOfMonth:
    if field == "L":
        return lambda year, month: {_length(year, month)}
    if field == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    if match := re.fullmatch(r"(\d{1,2})W", field):
        wanted = _number(match[1], 1, 31, None)
        return lambda year, month: (
            {_nearest_weekday(year, month, wanted)} if wanted <= _length(year, month) else set[int]()
        )
    numbers = _numbers(field, 1, 31)
    return lambda year, month: {day for day in numbers if day <= _length(year, month)}


def _days_of_week(field: str) -> DaysOfMonth:
    if field == "L":
        field = "7"
    if match := re.fullmatch(r"(\w+)#(\d)", field):
        weekday, nth = _number(match[1], 1, 7, WEEKDAYS), _number(match[2], 1, 5, None)
        return lambda year, month: set(_weekdays(year, month, {weekday})[nth - 1 : nth])
    if match := re.fullmatch(r"(\w+)L", field):
        last = _number(match[1], 1, 7, WEEKDAYS)
        return lambda year, month: {_weekdays(year, month, {last})[-1]}
    numbers = set(_numbers(field, 1, 7, WEEKDAYS))
    return lambda year, month: set(_weekdays(year, month, numbers))


def _weekdays(year: int, month: int, wanted: set[int]) -> list[int]:
    """Days of the month that fall on the wanted weekdays (1 is Sunday)."""
    first = (date(year, month, 1).weekday() + 1) % 7
    return [day for day in range(1, _length(year, month) + 1) if (first + day - 1) % 7 + 1 in wanted]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday nearest to `day`, within the month."""
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < _length(year, month) else day - 2
    return day


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
