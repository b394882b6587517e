import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.garmin.document import NO_DAY
from include.garmin.export import pieces as module
from include.garmin.export.items import Item
from include.garmin.export.layout import FAMILIES, Family
from include.garmin.export.pieces import Piece, pieces

ACTIVITIES, DAYS = FAMILIES[0], FAMILIES[1]
DATES = st.none() | st.dates(date(2019, 1, 1), date(2024, 12, 31))


def _item(day: date | None, number: int = 0) -> Item:
    value = {"calendarDate": day and day.isoformat(), "n": number}
    return Item(json.dumps(value).encode(), value)


def _values(piece: Piece) -> list[Any]:
    values: list[Any] = json.loads(piece.document.body)
    return values


def _by_name(found: list[Piece]) -> dict[str, bytes]:
    return {piece.document.name: piece.document.body for piece in found}


@given(days=st.lists(DATES, max_size=40), room=st.integers(1, 2_000), most=st.integers(1, 500))
@settings(max_examples=150, deadline=None)
def test_every_item_is_in_exactly_one_piece_whatever_the_order_and_the_room(
    days: list[date | None], room: int, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_GATHERED_BYTES", room)
        patch.setattr(module, "MAX_PIECE_BYTES", most)
        given_items = [_item(day, number) for number, day in enumerate(days)]
        found = list(pieces(DAYS, given_items))
    handed_out = Counter(json.dumps(value) for piece in found for value in _values(piece))
    assert handed_out == Counter(item.body.decode() for item in given_items)
    assert len({piece.document.name for piece in found}) == len(found)
    for piece in found:
        told = sorted(day or NO_DAY.isoformat() for day in (value["calendarDate"] for value in _values(piece)))
        assert (piece.first_day.isoformat(), piece.document.last_day.isoformat()) == (told[0], told[-1])
        assert len({day[:4] for day in told}) == 1


@given(days=st.lists(DATES, max_size=40, unique=True), data=st.data())
@settings(max_examples=80, deadline=None)
def test_documents_do_not_depend_on_the_order_of_items_of_different_days(
    days: list[date | None], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(days))
    assert _by_name(list(pieces(DAYS, map(_item, days)))) == _by_name(list(pieces(DAYS, map(_item, shuffled))))


def test_a_newer_export_changes_the_last_piece_alone() -> None:
    first = date(2021, 1, 1)
    days = [first + timedelta(days=number) for number in range(1_000)]
    before = _by_name(list(pieces(DAYS, map(_item, reversed(days[:900])))))
    after = _by_name(list(pieces(DAYS, map(_item, reversed(days)))))
    assert {name for name in after if after[name] != before.get(name)} == {"days-2023"}


def test_newest_first_needs_no_room_to_give_whole_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2023, 12, 31) - timedelta(days=number) for number in range(1_500)]
    in_memory = _by_name(list(pieces(DAYS, map(_item, days))))
    monkeypatch.setattr(module, "MAX_GATHERED_BYTES", 25_000)
    assert _by_name(list(pieces(DAYS, map(_item, days)))) == in_memory


def test_a_period_that_comes_again_gets_a_document_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GATHERED_BYTES", 60)
    found = list(pieces(DAYS, [_item(date(year, 1, 1)) for year in (2021, 2022, 2023, 2021)]))
    assert [piece.document.name for piece in found] == ["days-2021", "days-2022", "days-2023", "days-2021-2"]


def test_the_period_that_was_longest_without_an_item_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GATHERED_BYTES", 140)
    found = list(pieces(DAYS, [_item(date(year, 1, 1)) for year in (2021, 2022, 2021, 2023)]))
    assert [piece.document.name for piece in found] == ["days-2022", "days-2021", "days-2023"]


def test_a_single_day_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIECE_BYTES", 100)
    found = list(pieces(DAYS, [_item(date(2021, 1, 1), number) for number in range(10)]))
    assert [piece.document.name for piece in found] == ["days-2021", "days-2021-2", "days-2021-3", "days-2021-4"]
    assert [len(_values(piece)) for piece in found] == [3, 3, 3, 1]


def test_activities_come_by_quarter_and_in_their_envelope() -> None:
    def run(day: str) -> Item:
        ms = int((date.fromisoformat(day) - date(1970, 1, 1)).total_seconds() * 1000)
        return Item(f'{{"startTimeLocal":{ms}.0}}'.encode(), {"startTimeLocal": float(ms)})

    found = list(pieces(ACTIVITIES, map(run, ("2024-04-01", "2024-03-31", "2024-01-01"))))
    assert [piece.document.name for piece in found] == ["activities-2024q1", "activities-2024q2"]
    assert found[1].document.body == b'[{"summarizedActivitiesExport":[{"startTimeLocal":1711929600000.0}]}]'
    assert (found[0].first_day, found[0].document.last_day) == (date(2024, 1, 1), date(2024, 3, 31))


@pytest.mark.parametrize(
    ("start", "end", "touches"),
    [
        (None, None, True),
        (date(2024, 3, 20), None, True),
        (date(2024, 3, 21), None, False),
        (None, date(2024, 3, 10), True),
        (None, date(2024, 3, 9), False),
        (date(2024, 3, 12), date(2024, 3, 14), True),
    ],
)
def test_a_range_is_touched_by_the_days_that_are_there(start: date | None, end: date | None, touches: bool) -> None:
    (piece,) = pieces(DAYS, [_item(date(2024, 3, 20)), _item(date(2024, 3, 10))])
    assert piece.touches(start, end) is touches


def test_undated_items_are_in_every_range() -> None:
    (piece,) = pieces(DAYS, [_item(None)])
    assert (piece.document.name, piece.document.last_day) == ("days-undated", NO_DAY)
    assert piece.touches(date(2024, 1, 1), date(2024, 1, 2))


@pytest.mark.parametrize(
    ("family", "item", "day"),
    [
        ("days", {"calendarDate": "2020-08-18"}, date(2020, 8, 18)),
        ("days", {"calendarDate": {"date": "Aug 18, 2020 12:00:00 AM"}}, date(2020, 8, 18)),
        ("days", {"calendarDate": 1_597_708_800_000}, date(2020, 8, 18)),
        ("weight", {"metaData": {"calendarDate": "2023-11-28T23:30:00.0"}}, date(2023, 11, 28)),
        ("activities", {"startTimeLocal": 1.5977088e12, "beginTimestamp": 1.0e12}, date(2020, 8, 18)),
        ("activities", {"beginTimestamp": 1.5977088e12}, date(2020, 8, 18)),
        ("days", {"calendarDate": "1020-08-18"}, None),
        ("days", {"calendarDate": "2020-02-30"}, None),
        ("days", {"calendarDate": 1e300}, None),
        ("days", {"calendarDate": float("nan")}, None),
        ("days", {"calendarDate": True}, None),
        ("days", {"calendarDate": ["2020-08-18"]}, None),
        ("weight", {"metaData": "2020-08-18"}, None),
        ("weight", None, None),
    ],
)
def test_the_day_of_an_item(family: str, item: object, day: date | None) -> None:
    (found,) = [each for each in FAMILIES if each.name == family]
    assert isinstance(found, Family)
    assert found.day(item) == day
