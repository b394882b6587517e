"""Schedules: cron against a slow reference, rate, and the clock that fires them."""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.localaws.events.clock import Clock, Time
from infra.localaws.events.cron import ScheduleError, parse_cron
from infra.localaws.events.schedule import parse_schedule
from infra.localaws.events.transform import fill, look_up, target_input


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "fires"),
    [
        ("0 5 * * ? *", "2026-11-24 04:59", "2026-11-24 05:00"),
        ("0 5 * * ? *", "2026-11-24 05:00", "2026-11-25 05:00"),
        ("0 12 ? * MON-FRI *", "2026-11-27 12:00", "2026-11-30 12:00"),
        ("0/15 * * * ? *", "2026-11-24 10:16", "2026-11-24 10:30"),
        ("5/10 8-17/3 ? * 2,4 *", "2026-11-24 20:00", "2026-11-25 08:05"),
        ("0 0 L * ? *", "2024-02-01 00:00", "2024-02-29 00:00"),
        ("0 0 L * ? *", "2024-02-29 00:00", "2024-03-31 00:00"),
        ("0 0 31 * ? *", "2026-04-01 00:00", "2026-05-31 00:00"),
        ("0 8 1W * ? *", "2026-07-31 09:00", "2026-08-03 08:00"),  # the 1st is a Saturday
        ("0 8 15W * ? *", "2026-11-01 00:00", "2026-11-16 08:00"),  # the 15th is a Sunday
        ("0 8 31W * ? *", "2026-05-01 00:00", "2026-05-29 08:00"),  # the 31st is a Sunday, the last day
        ("0 8 LW * ? *", "2026-05-01 00:00", "2026-05-29 08:00"),
        ("0 9 ? * 3#2 *", "2026-11-01 00:00", "2026-11-10 09:00"),  # second Tuesday
        ("0 9 ? * TUE#5 *", "2026-11-01 00:00", "2026-12-29 09:00"),  # November has four
        ("0 9 ? * 6L *", "2026-11-01 00:00", "2026-11-27 09:00"),  # last Friday
        ("0 9 ? * FRIL *", "2026-11-28 00:00", "2026-12-25 09:00"),
        ("0 9 ? * L *", "2026-11-24 00:00", "2026-11-28 09:00"),  # Saturdays
        ("30 23 29 FEB ? *", "2026-01-01 00:00", "2028-02-29 23:30"),
        ("0 0 1 JAN ? 2030-2032", "2026-01-01 00:00", "2030-01-01 00:00"),
        ("0 10 * * ? 2026", "2026-12-31 10:00", None),
        ("0 0 31 FEB ? *", "2026-01-01 00:00", None),
    ],
)
def test_next_time_of_a_cron_expression(expression: str, after: str, fires: str | None) -> None:
    assert parse_cron(expression).next_after(at(after)) == (at(fires) if fires else None)


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *", "* * * * * *", "* * ? * ? *", "60 * * * ? *", "* 24 * * ? *", "* * 0 * ? *", "* * 32 * ? *",
        "* * * 13 ? *", "* * ? * 8 *", "* * ? * 0 *", "* * * * ? 1969", "* * * * ? 2200", "a * * * ? *", "5-1 * * * ? *",
        "*/0 * * * ? *", "* * ? * MON#6 *", "* * 32W * ? *", "? * * * ? *", "-1 * * * ? *", "", "* * W * ? *",
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        parse_cron(expression)


def reference_days(field: str, kind: str, year: int, month: int) -> set[int]:
    """Days of a month that a field stands for, found by asking each day."""
    length = calendar.monthrange(year, month)[1]
    days = [datetime(year, month, d, tzinfo=UTC) for d in range(1, length + 1)]

    def aws_weekday(day: datetime) -> int:
        return day.isoweekday() % 7 + 1

    if kind == "month":
        if field == "L":
            return {length}
        if field.endswith("W"):
            wanted = int(field[:-1])
            if wanted > length:
                return set()
            workdays = [d.day for d in days if d.isoweekday() < 6]
            return {min(workdays, key=lambda d: (abs(d - wanted), -d if wanted == 1 else d))}
        return {d.day for d in days if field == "*" or str(d.day) in field.split(",")}
    if "#" in field:
        weekday, nth = map(int, field.split("#"))
        return {d.day for d in days if aws_weekday(d) == weekday and (d.day - 1) // 7 + 1 == nth}
    if field.endswith("L"):
        return {d.day for d in days if aws_weekday(d) == int(field[:-1]) and d.day + 7 > length}
    return {d.day for d in days if field == "*" or str(aws_weekday(d)) in field.split(",")}


def reference_next(fields: tuple[str, str, str, str, str], after: datetime) -> datetime | None:
    """Minute by minute within the days that fit; two years are enough for what the test draws."""
    minute, hour, day_of_month, month, day_of_week = fields
    day = after.replace(hour=0, minute=0)
    for _ in range(800):
        if month == "*" or str(day.month) in month.split(","):
            field, kind = (day_of_week, "week") if day_of_month == "?" else (day_of_month, "month")
            if day.day in reference_days(field, kind, day.year, day.month):
                for m in range(1440):
                    moment = day + timedelta(minutes=m)
                    fits_hour = hour == "*" or str(moment.hour) in hour.split(",")
                    fits_minute = minute == "*" or str(moment.minute) in minute.split(",")
                    if moment > after and fits_hour and fits_minute:
                        return moment
        day += timedelta(days=1)
    return None


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    lists = st.lists(st.integers(low, high), min_size=1, max_size=4).map(lambda v: ",".join(map(str, v)))
    return st.one_of(st.just("*"), lists)


days_of_month = st.one_of(numbers(1, 28), st.just("L"), st.integers(1, 28).map(lambda d: f"{d}W"))
days_of_week = st.one_of(
    numbers(1, 7),
    st.integers(1, 7).map(lambda d: f"{d}L"),
    st.tuples(st.integers(1, 7), st.integers(1, 4)).map(lambda p: f"{p[0]}#{p[1]}"),
)
days = st.one_of(days_of_month.map(lambda d: (d, "?")), days_of_week.map(lambda d: ("?", d)))


@settings(max_examples=150, deadline=None)
@given(
    numbers(0, 59), numbers(0, 23), days, numbers(1, 12),
    st.datetimes(min_value=datetime(1999, 1, 1), max_value=datetime(2060, 1, 1)),
)  # fmt: skip
def test_cron_agrees_with_the_slow_reference(
    minute: str, hour: str, day: tuple[str, str], month: str, after: datetime
) -> None:
    after = after.replace(second=0, microsecond=0, tzinfo=UTC)
    expected = reference_next((minute, hour, day[0], month, day[1]), after)
    assert parse_cron(f"{minute} {hour} {day[0]} {month} {day[1]} *").next_after(after) == expected


def test_a_rate_fires_whole_periods_after_the_rule_was_made() -> None:
    following = parse_schedule("rate(5 minutes)")
    made = at("2026-11-24 10:02")
    assert following(made, made) == at("2026-11-24 10:07")
    assert following(made, at("2026-11-24 10:07")) == at("2026-11-24 10:12")
    assert following(made, at("2026-11-25 10:08")) == at("2026-11-25 10:12")
    assert parse_schedule("rate(1 day)")(made, at("2026-11-26 00:00")) == at("2026-11-26 10:02")


@pytest.mark.parametrize(
    "expression",
    ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(-1 days)", "rate(1 second)", "every day", "cron()"],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(expression)


@dataclass
class FakeRule:
    name: str
    scheduled_expression: str | None
    state: str = "ENABLED"


class Wall:
    def __init__(self, now: str) -> None:
        self.now = at(now)

    def __call__(self) -> datetime:
        return self.now


def test_the_clock_fires_each_due_rule_once_and_never_a_disabled_one() -> None:
    wall, fired = Wall("2026-11-24 04:58"), list[tuple[str, datetime]]()
    rules = [
        FakeRule("daily", "cron(0 5 * * ? *)"),
        FakeRule("often", "rate(1 minute)"),
        FakeRule("off", "rate(1 minute)", "DISABLED"),
        FakeRule("pattern", None),
    ]
    clock = Clock(Time(wall), lambda: rules, lambda rule, due: fired.append((rule.name, due)))
    assert clock.tick() == at("2026-11-24 04:59")
    assert fired == []
    wall.now = at("2026-11-24 05:00")
    clock.tick()
    clock.tick()
    assert fired == [("daily", at("2026-11-24 05:00")), ("often", at("2026-11-24 04:59"))]
    fired.clear()
    rules[1].state = "DISABLED"
    wall.now = at("2026-11-25 12:00")
    clock.tick()
    assert fired == [("daily", at("2026-11-25 05:00"))]


def test_a_schedule_keeps_its_phase_over_a_restart_and_does_not_make_up_what_passed() -> None:
    wall, fired = Wall("2026-11-24 10:00"), list[datetime]()
    rule = FakeRule("hourly", "rate(1 hour)")
    Clock(Time(wall), lambda: [rule], lambda _, due: fired.append(due)).tick()
    wall.now = at("2026-11-24 15:20")
    restarted = Clock(Time(wall), lambda: [rule], lambda _, due: fired.append(due))
    assert restarted.tick() == at("2026-11-24 16:00")
    assert fired == []


EVENT = {"id": "7", "source": "s", "time": "t", "detail": {"name": 'Ann "A"', "n": 3, "list": [{"x": 1}]}}


@pytest.mark.parametrize(
    ("path", "value"),
    [("$.detail.n", 3), ("$.detail.list[0].x", 1), ("$", EVENT), ("$.source", "s")],
)
def test_paths(path: str, value: object) -> None:
    assert look_up(path, EVENT) == value


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ('{"who": <name>, "n": <n>}', '{"who": "Ann \\"A\\"", "n": 3}'),
        ('"<name> has <n>"', '"Ann \\"A\\" has 3"'),
        ('{"all": <list>}', '{"all": [{"x": 1}]}'),
        ("<unknown>", "<unknown>"),
    ],
)
def test_templates(template: str, filled: str) -> None:
    values = {"name": 'Ann "A"', "n": 3, "list": [{"x": 1}]}
    assert fill(template, values) == filled


def test_the_input_of_a_target() -> None:
    arn = "arn:aws:events:us-east-1:123456789012:rule/nightly"
    assert target_input({"Input": '{"fixed": 1}'}, EVENT, arn, "t") == '{"fixed": 1}'
    assert target_input({"InputPath": "$.detail.n"}, EVENT, arn, "t") == "3"
    transformer = {
        "InputPathsMap": {"gone": "$.detail.gone"},
        "InputTemplate": '{"r": <aws.events.rule-name>, "g": "<gone>"}',
    }
    assert target_input({"InputTransformer": transformer}, EVENT, arn, "t") == '{"r": "nightly", "g": ""}'
