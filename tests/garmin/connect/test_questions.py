from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from include.garmin.connect import questions
from include.garmin.connect.questions import HRV_DAYS
from include.garmin.periods import months
from include.lake import RAW_KINDS

DAYS = st.dates(date(2010, 1, 1), date(2030, 1, 1))
LENGTHS = st.integers(1, 100)


@settings(max_examples=30)
@given(DAYS, LENGTHS)
def test_every_day_is_asked_once_for_each_kind(start: date, length: int) -> None:
    end = start + timedelta(days=length - 1)
    asked = list(questions.days(start, end))
    slots = {(each.kind, each.last_day, each.name) for each in asked}
    assert len(slots) == len(asked) == 3 * length
    assert {each.last_day for each in asked} == {start + timedelta(days=i) for i in range(length)}


@settings(max_examples=30)
@given(DAYS, LENGTHS)
def test_hrv_of_every_day_is_asked_once_in_ranges_the_service_takes(start: date, length: int) -> None:
    end = start + timedelta(days=length - 1)
    covered: list[date] = []
    for first_month, last_month in months(start, end):
        for each in questions.ranges(first_month, last_month):
            if each.kind == "hrv":
                first, last = (date.fromisoformat(text) for text in each.path.split("/")[-2:])
                assert last == each.last_day and (last - first).days < HRV_DAYS
                covered += [first + timedelta(days=i) for i in range((last - first).days + 1)]
    assert sorted(covered) == [start + timedelta(days=i) for i in range(length)]


@settings(max_examples=30)
@given(DAYS, st.integers(1, 31), st.integers(1, 31))
def test_of_two_ranges_what_has_one_name_is_one_question(start: date, length: int, other_length: int) -> None:
    by_slot = {}
    for days in (length, other_length):
        for each in questions.ranges(start, start + timedelta(days=days - 1)):
            assert by_slot.setdefault((each.kind, each.last_day, each.name), each) == each


def test_every_kind_has_its_place_in_the_bucket() -> None:
    day = date(2026, 2, 28)
    asked = [
        *questions.ranges(day, day),
        *questions.days(day, day),
        questions.activity_page(day, day, 100),
        questions.whole_history_page(0, day),
        questions.activity(7, day),
    ]
    assert {each.kind for each in asked} <= set(RAW_KINDS)
