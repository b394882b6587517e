import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from include.garmin.connect import activity_list
from include.garmin.connect.questions import PAGE_ACTIVITIES, Question
from include.garmin.document import RawDocument, SourceError, nothing_held

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def _answering(page: Callable[[int], Any]) -> activity_list.Ask:
    """Pages as `page` tells them by offset, and `{}` for every summary."""

    def ask(question: Question) -> RawDocument:
        value = page(int(question.params["start"])) if question.kind == "activity_list" else {}
        return RawDocument(question.kind, question.last_day, question.name, json.dumps(value).encode())

    return ask


def _items(count: int, day: str = "2026-03-02") -> list[dict[str, Any]]:
    return [{"activityId": number, "startTimeLocal": f"{day} 07:00:00"} for number in range(count)]


def test_a_full_page_is_followed_by_another_and_an_empty_one_ends_the_list() -> None:
    ask = _answering(lambda offset: _items(PAGE_ACTIVITIES) if offset == 0 else None)
    documents = list(activity_list.of_month(FIRST, LAST, ask, lambda kind, *_: kind == "activity"))
    assert [document.name.rpartition("-")[2] for document in documents] == ["100", "0"]


@pytest.mark.parametrize(
    "item", [None, {}, {"activityId": "7"}, {"activityId": 7}, {"activityId": 7, "startTimeLocal": "yesterday"}]
)
def test_an_item_without_id_or_day_is_left_on_its_page(item: Any) -> None:
    documents = list(activity_list.of_month(FIRST, LAST, _answering(lambda _: [item, *_items(1)]), nothing_held))
    assert [document.kind for document in documents] == ["activity", "activity_list"]


def test_a_list_without_end_is_an_error() -> None:
    with pytest.raises(SourceError, match="does not end after 1000 pages"):
        list(activity_list.pages(_page_at, _answering(lambda _: _items(PAGE_ACTIVITIES))))


def _page_at(offset: int) -> Question:
    return Question("activity_list", LAST, "page", "/", {"start": str(offset)})


def test_a_page_of_the_whole_history_is_kept_by_its_last_day() -> None:
    (page, listed), *_ = activity_list.whole_history(LAST, _answering(lambda _: _items(1) + _items(2, "2026-01-09")))
    assert (page.last_day, len(listed)) == (date(2026, 3, 2), 3)
    (page, listed), *_ = activity_list.whole_history(LAST, _answering(lambda _: []))
    assert (page.last_day, listed) == (LAST, [])
