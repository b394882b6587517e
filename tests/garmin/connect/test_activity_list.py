import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from include.garmin.connect import activity_list
from include.garmin.connect.activity_list import UNFINISHED
from include.garmin.connect.manners import QuestionFailed
from include.garmin.connect.questions import PAGE_ACTIVITIES, Question
from include.garmin.connect.unanswered import Asking, Unanswered
from include.garmin.document import RawDocument, TooManyRequests, nothing_held

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def _answering(page: Callable[[int], Any], activity: Callable[[str], Any] = lambda _: {}) -> Asking:
    """Pages as `page` tells them by offset, and summaries as `activity` tells them by id."""

    def answer(question: Question, _tries: int | None) -> RawDocument:
        is_page = question.kind == "activity_list"
        value = page(int(question.params["start"])) if is_page else activity(question.name)
        return RawDocument(question.kind, question.last_day, question.name, json.dumps(value).encode())

    return Asking("ann", answer, lambda: True)


def _raising(error: Exception) -> Any:
    raise error


def _items(count: int, day: str = "2026-03-02") -> list[dict[str, Any]]:
    return [{"activityId": number, "startTimeLocal": f"{day} 07:00:00"} for number in range(count)]


def test_a_full_page_is_followed_by_another_and_an_empty_one_ends_the_list() -> None:
    asking = _answering(lambda offset: _items(PAGE_ACTIVITIES) if offset == 0 else None)
    documents = list(activity_list.month_documents(FIRST, LAST, asking, lambda kind, *_: kind == "activity"))
    assert [document.name.rpartition("-")[2] for document in documents] == ["100", "0"]


@pytest.mark.parametrize(
    "item", [None, {}, {"activityId": "7"}, {"activityId": 7}, {"activityId": 7, "startTimeLocal": "yesterday"}]
)
def test_an_item_without_id_or_day_is_left_on_its_page(item: Any) -> None:
    asking = _answering(lambda _: [item, *_items(1)])
    documents = list(activity_list.month_documents(FIRST, LAST, asking, nothing_held))
    assert [document.kind for document in documents] == ["activity", "activity_list"]


def test_a_list_without_end_fails_by_name_and_keeps_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_list, "MOST_PAGES", 3)
    asking = _answering(lambda _: _items(PAGE_ACTIVITIES))
    assert len(list(activity_list.pages(_page_at, asking))) == 3
    with pytest.raises(Unanswered, match=r"activity_list .*does not end after 3 pages"):
        asking.finish()


def test_a_list_that_is_no_list_is_kept_and_named() -> None:
    asking = _answering(lambda _: {"activities": []})
    (page,) = activity_list.month_documents(FIRST, LAST, asking, nothing_held)
    assert page.body == b'{"activities": []}' and page.name.endswith(UNFINISHED)
    with pytest.raises(Unanswered, match="is no list any more"):
        asking.finish()


def _page_at(offset: int) -> Question:
    return Question("activity_list", LAST, "page", "/", {"start": str(offset)})


def test_a_page_of_the_whole_history_is_kept_by_its_last_day() -> None:
    page, *_ = activity_list.whole_history(LAST, _answering(lambda _: _items(1) + _items(2, "2026-01-09")))
    assert (page.document.last_day, len(page.listed)) == (date(2026, 3, 2), 3)
    page, *_ = activity_list.whole_history(LAST, _answering(lambda _: []))
    assert (page.document.last_day, page.listed) == (LAST, [])


def test_a_summary_without_answer_leaves_its_month_to_be_asked_again() -> None:
    refused = QuestionFailed("HTTP 403", "HTTP 403")
    asking = _answering(lambda _: _items(3), lambda name: _raising(refused) if name == "1" else {})
    documents = list(activity_list.month_documents(FIRST, LAST, asking, nothing_held))
    span = "2026-03-01-to-2026-03-31-from-0"
    assert [document.name for document in documents] == ["0", "2", span + UNFINISHED]
    with pytest.raises(Unanswered, match=r"activity of 2026-03-02 \(HTTP 403\)"):
        asking.finish()
    held = {(document.kind, document.last_day, document.name) for document in documents}
    later = activity_list.month_documents(FIRST, LAST, _answering(lambda _: _items(3)), lambda *slot: slot in held)
    assert [document.name for document in later] == ["1", span]


def test_a_later_page_without_answer_keeps_those_before_it() -> None:
    broken = QuestionFailed("HTTP 500", "HTTP 500")
    asking = _answering(lambda offset: _raising(broken) if offset else _items(PAGE_ACTIVITIES))
    documents = list(activity_list.month_documents(FIRST, LAST, asking, nothing_held))
    assert len(documents) == PAGE_ACTIVITIES + 1 and documents[-1].name.endswith(UNFINISHED)


def test_a_page_is_kept_when_garmin_wants_to_be_left_alone_behind_it() -> None:
    names: list[str] = []
    asking = _answering(lambda _: _items(3), lambda name: _raising(TooManyRequests(60)) if name == "1" else {})
    with pytest.raises(TooManyRequests):
        names.extend(each.name for each in activity_list.month_documents(FIRST, LAST, asking, nothing_held))
    assert names == ["0", "2026-03-01-to-2026-03-31-from-0" + UNFINISHED]
