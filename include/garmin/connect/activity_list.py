"""Walking Garmin's list of activities, page by page, and what to ask about the activities on it."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import count

from include.garmin.connect import questions
from include.garmin.connect.questions import PAGE_ACTIVITIES, Question
from include.garmin.connect.unanswered import Asking
from include.garmin.document import Held, RawDocument, SourceError

MOST_PAGES = 1000
"""Where a list of activities is not believed to end any more: a hundred thousand."""
UNFINISHED = "-unfinished"
"""Ends the name of a month's first page that is kept although something that it lists has no answer yet."""


@dataclass(frozen=True)
class Listed:
    """An activity on a page of the list."""

    activity_id: int
    day: date


@dataclass(frozen=True)
class Page:
    """A page of the list as received, and the activities on it."""

    document: RawDocument
    listed: list[Listed]


def month_documents(first: date, last: date, asking: Asking, held: Held) -> Iterator[RawDocument]:
    """Summaries, then the pages that list them, the first page last: once it is held, all of the month are.

    When something of the month has no answer, or Garmin is not to be asked any more, the pages are handed out all the
    same, but the first one under another name: its own stays free, and the next run asks for what is missing.

    Raises:
        SourceError: as `Asking.ask`, after the pages that came.
    """
    page_at = partial(questions.activity_page, first, last)
    if is_held(page_at(0), held):
        return
    failures = asking.failures
    kept: list[RawDocument] = []
    try:
        for page in pages(page_at, asking):
            kept.append(page.document)
            yield from summaries(page.listed, asking, held)
    except SourceError:
        yield from _unfinished(kept)
        raise
    yield from reversed(kept) if asking.failures == failures else _unfinished(kept)


def pages(page_at: Callable[[int], Question], asking: Asking) -> Iterator[Page]:
    """All pages up to the end of the list, or up to one that has no answer, which `asking` notes.

    Raises:
        SourceError: as `Asking.ask`.
    """
    for offset in count(0, PAGE_ACTIVITIES):
        question = page_at(offset)
        if offset >= MOST_PAGES * PAGE_ACTIVITIES:
            asking.note(question, f"the list does not end after {MOST_PAGES} pages")
            return
        document = asking.ask(question)
        if document is None:
            return
        items = json.loads(document.body) or []
        if not isinstance(items, list):
            asking.note(question, "is no list any more: the project needs an update")
            items = []
        listed = [each for each in map(_listed, items) if each is not None]
        if items and not listed:
            asking.note(question, "no activity on it is understood: the project needs an update")
        yield Page(document, listed)
        if len(items) < PAGE_ACTIVITIES:
            return


def whole_history(end: date, asking: Asking) -> Iterator[Page]:
    """The pages of the whole list, each kept by its last activity's day, for a page moves with every new activity."""
    for page in pages(lambda offset: questions.whole_history_page(offset, end), asking):
        last_day = max((each.day for each in page.listed), default=end)
        yield replace(page, document=replace(page.document, last_day=last_day))


def summaries(listed: Iterable[Listed], asking: Asking, held: Held) -> Iterator[RawDocument]:
    """The summaries that are not held and that have an answer."""
    return answers((questions.activity(each.activity_id, each.day) for each in listed), asking, held)


def answers(asked: Iterable[Question], asking: Asking, held: Held) -> Iterator[RawDocument]:
    """The answers to those questions that are not held and have one."""
    for question in asked:
        if not is_held(question, held) and (document := asking.ask(question)) is not None:
            yield document


def is_held(question: Question, held: Held) -> bool:
    return held(question.kind, question.last_day, question.name)


def _unfinished(kept: list[RawDocument]) -> Iterator[RawDocument]:
    for number, document in enumerate(kept):
        yield document if number else replace(document, name=document.name + UNFINISHED)


def _listed(item: object) -> Listed | None:
    """None for an item without id or day: the page keeps it, there is just nothing more to ask about it."""
    if not isinstance(item, dict) or not isinstance(item.get("activityId"), int):
        return None
    try:
        return Listed(item["activityId"], date.fromisoformat(str(item.get("startTimeLocal"))[:10]))
    except ValueError:
        return None
