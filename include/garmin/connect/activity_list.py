"""Walking Garmin's list of activities, page by page, and what to ask about the activities on it."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import count

from include.garmin.connect import questions
from include.garmin.connect.questions import PAGE_ACTIVITIES, Question
from include.garmin.document import Held, RawDocument, SourceError

MOST_PAGES = 1000
"""Where a list of activities is not believed to end any more: a hundred thousand."""

Ask = Callable[[Question], RawDocument]


@dataclass(frozen=True)
class Listed:
    """An activity on a page of the list."""

    activity_id: int
    day: date


def of_month(first: date, last: date, ask: Ask, held: Held) -> Iterator[RawDocument]:
    """Summaries, then the pages that list them, the first page last: once it is held, all of the month are.

    Raises:
        SourceError: the list is none, or has no end.
    """
    page_at = partial(questions.activity_page, first, last)
    if is_held(page_at(0), held):
        return
    kept = []
    for page, listed in pages(page_at, ask):
        kept.append(page)
        yield from summaries(listed, ask, held)
    yield from reversed(kept)


def pages(page_at: Callable[[int], Question], ask: Ask) -> Iterator[tuple[RawDocument, list[Listed]]]:
    """All pages, and the activities on each. Raises SourceError as `of_month`."""
    for offset in count(0, PAGE_ACTIVITIES):
        if offset >= MOST_PAGES * PAGE_ACTIVITIES:
            raise SourceError(f"Garmin's list of activities does not end after {MOST_PAGES} pages")
        page = ask(page_at(offset))
        items = json.loads(page.body) or []
        if not isinstance(items, list):
            raise SourceError("Garmin's list of activities is no list any more; the project needs an update")
        yield page, [listed for listed in map(_listed, items) if listed is not None]
        if len(items) < PAGE_ACTIVITIES:
            return


def whole_history(end: date, ask: Ask) -> Iterator[tuple[RawDocument, list[Listed]]]:
    """The pages of the whole list, each kept by its last activity's day, for a page moves with every new activity."""
    for page, listed in pages(lambda offset: questions.whole_history_page(offset, end), ask):
        yield replace(page, last_day=max((each.day for each in listed), default=end)), listed


def summaries(listed: Iterable[Listed], ask: Ask, held: Held) -> Iterator[RawDocument]:
    """The summaries that are not held."""
    asked = (questions.activity(each.activity_id, each.day) for each in listed)
    return (ask(question) for question in asked if not is_held(question, held))


def is_held(question: Question, held: Held) -> bool:
    return held(question.kind, question.last_day, question.name)


def _listed(item: object) -> Listed | None:
    """None for an item without id or day: the page keeps it, there is just nothing more to ask about it."""
    if not isinstance(item, dict) or not isinstance(item.get("activityId"), int):
        return None
    try:
        return Listed(item["activityId"], date.fromisoformat(str(item.get("startTimeLocal"))[:10]))
    except ValueError:
        return None
