"""One fetch of one athlete from Garmin's Personal API: what is asked when, and what a failed question costs."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from itertools import count
from typing import Any

from include.garmin.connect import personal_questions as questions
from include.garmin.connect.manners import OutOfService
from include.garmin.connect.original_file import session_document
from include.garmin.connect.personal_client import PersonalConnection
from include.garmin.connect.personal_questions import PAGE_ACTIVITIES, PersonalQuestion
from include.garmin.connect.precise_days import PreciseDays
from include.garmin.document import Held, LoginNeeded, RawDocument, SourceError, TooManyRequests
from include.garmin.periods import months

log = logging.getLogger(__name__)

MOST_PAGES = 2000
"""Where a list of activities is not believed to end any more: ninety thousand."""
FAILED_IN_A_ROW = 3
"""After so many questions in a row that got no answer it is the service that is broken, not a question."""
FIRST_DAY = date(2000, 1, 1)
"""Watches with GPS are sold since 2003: an earlier date in a list is that of a clock that was never set."""
INCOMPLETE = "-incomplete"
"""Ends the name of an answer while something that it leads to is missing, so that the next run asks again."""
_NAMED_FAILURES = 5


@dataclass(frozen=True)
class _Run:
    """A run on a page of the list that has a VO2max."""

    activity_id: int
    day: date
    vo2max: float


@dataclass
class PersonalFetch:
    """Asks question by question; what came is handed out at once.

    A question without an answer is noted and the next is asked. FAILED_IN_A_ROW of them end the fetch, since then the
    service is out of order. The end of the fetch raises one error that names what is missing, and so the day up to
    which all is fetched stays where it was: the next run asks again.
    """

    athlete_id: str
    connection: PersonalConnection
    held: Held
    precise: PreciseDays
    _failed: list[str] = field(default_factory=list)
    _failed_in_a_row: int = 0

    def documents(self, start: date | None, end: date) -> Iterator[RawDocument]:
        """All documents of `start` to `end`; without `start`, of the whole history.

        Raises:
            KeyNeeded: no key, or one that Garmin does not take.
            TooManyRequests: Garmin answered 429.
            SourceError: some questions got no answer; the documents of all others were handed out.
        """
        yield from self._whole_history(end) if start is None else self._days(start, end)
        if self._failed:
            more = f" and {left} more" if (left := len(self._failed) - _NAMED_FAILURES) > 0 else ""
            raise SourceError(
                f"{len(self._failed)} questions about {self.athlete_id} got no answer, and are asked again by the next "
                f"run: {'; '.join(self._failed[:_NAMED_FAILURES])}{more}"
            )

    def _days(self, start: date, end: date) -> Iterator[RawDocument]:
        for first, last in months(start, end) if start <= end else ():
            yield from self._ranges(first, last)
            yield from self._activities_of_month(first, last)

    def _whole_history(self, end: date) -> Iterator[RawDocument]:
        listed: list[dict[str, Any]] = []
        for page, items in self._pages(partial(questions.whole_history_page, end=end)):
            days = [day for day in map(_day, items) if day is not None and day <= end]
            yield RawDocument(page.kind, max(days, default=end), page.name, page.body)
            listed += items
        plausible = [day for day in map(_day, listed) if day is not None and FIRST_DAY <= day <= end]
        for first, last in months(min(plausible), end) if plausible else ():
            yield from self._ranges(first, last)
            yield from self._files([item for item in listed if (day := _day(item)) and first <= day <= last], set())

    def _ranges(self, start: date, end: date) -> Iterator[RawDocument]:
        for question in questions.ranges(start, end):
            if self._is_held(question):
                continue
            document, failed_before = self._ask(question), len(self._failed)
            if document is None:
                continue
            if question.lists_heart_rate:
                # Before the summaries: once these are held, nothing of the month is asked for again.
                yield from self._asked(questions.heart_rate(day) for day in _without_resting_heart_rate(document.body))
            yield self._named(document, failed_before)

    def _activities_of_month(self, first: date, last: date) -> Iterator[RawDocument]:
        """The files, then the pages that list them, the first page last: once it is held, all of the month are."""
        page_at = partial(questions.activity_page, first, last)
        if self._is_held(page_at(0)):
            return
        failed_before = len(self._failed)
        days: set[date] = set()
        first_page = None
        for page, items in self._pages(page_at):
            yield from self._files(items, days)
            if first_page is None:
                first_page = page
            else:
                yield page
        if first_page is not None:
            yield self._named(first_page, failed_before)

    def _pages(self, page_at: Callable[[int], PersonalQuestion]) -> Iterator[tuple[RawDocument, list[dict[str, Any]]]]:
        """The pages of a list and the activities on each; a page without an answer ends the list."""
        for offset in count(0, PAGE_ACTIVITIES):
            if offset >= MOST_PAGES * PAGE_ACTIVITIES:
                raise SourceError(f"Garmin's list of activities does not end after {MOST_PAGES} pages")
            page = self._ask(page_at(offset))
            if page is None:
                return
            items = json.loads(page.body) or []
            if not isinstance(items, list):
                raise SourceError("Garmin's list of activities is no list any more; the project needs an update")
            yield page, [item for item in items if isinstance(item, dict)]
            if len(items) < PAGE_ACTIVITIES:
                return

    def _files(self, items: Iterable[dict[str, Any]], days: set[date]) -> Iterator[RawDocument]:
        """The session of each day's last run, where the table has no precise VO2max that agrees with the run's.

        Args:
            items: activities of the list, newest first.
            days: those whose last run was on an earlier page; added to.
        """
        for run in filter(None, map(_run, items)):
            if run.day in days:
                continue
            days.add(run.day)
            question = questions.original_file(run.activity_id, run.day)
            known = self.precise.running(run.day)
            if (known is not None and round(known) == run.vo2max) or self._is_held(question):
                continue
            archive = self._ask(question, is_file=True)
            if archive is not None:
                yield session_document(archive, run.activity_id)

    def _named(self, document: RawDocument, failed_before: int) -> RawDocument:
        """The document under another name where a question that it leads to has failed since."""
        return replace(document, name=document.name + INCOMPLETE) if len(self._failed) > failed_before else document

    def _asked(self, asked: Iterable[PersonalQuestion]) -> Iterator[RawDocument]:
        answers = (self._ask(question) for question in asked if not self._is_held(question))
        return (answer for answer in answers if answer is not None)

    def _ask(self, question: PersonalQuestion, *, is_file: bool = False) -> RawDocument | None:
        """The answer; None where there is none, which is noted."""
        get = self.connection.file if is_file else self.connection.json
        try:
            body = get(question.call, str(question))
        except (LoginNeeded, TooManyRequests, OutOfService):
            raise
        except SourceError as error:
            self._failed_in_a_row += 1
            self._failed.append(f"{question} ({error})")
            log.warning("%s: %s", self.athlete_id, self._failed[-1])
            if self._failed_in_a_row >= FAILED_IN_A_ROW:
                raise
            return None
        self._failed_in_a_row = 0
        return RawDocument(question.kind, question.last_day, question.name, body)

    def _is_held(self, question: PersonalQuestion) -> bool:
        return self.held(question.kind, question.last_day, question.name)


def _day(item: dict[str, Any]) -> date | None:
    """The local day of an activity of the list."""
    try:
        return date.fromisoformat(str(item.get("startTimeLocal"))[:10])
    except ValueError:
        return None


def _run(item: dict[str, Any]) -> _Run | None:
    """A run of its own with a VO2max in whole numbers; legs of a multisport activity tell of no day."""
    activity_id, day, vo2max = item.get("activityId"), _day(item), item.get("vO2MaxValue")
    activity_type = item.get("activityType")
    sport = activity_type.get("typeKey") if isinstance(activity_type, dict) else None
    if not isinstance(activity_id, int) or isinstance(activity_id, bool) or activity_id <= 0 or day is None:
        return None
    if not isinstance(vo2max, int | float) or vo2max <= 0 or vo2max != round(vo2max) or item.get("parentId"):
        return None
    return _Run(activity_id, day, vo2max) if isinstance(sport, str) and "run" in sport else None


def _without_resting_heart_rate(body: bytes) -> list[date]:
    """Days on which heart rate was measured and whose summary tells no resting heart rate, newest first."""
    value = json.loads(body)
    rows = value.get("data") if isinstance(value, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else ():
        measured = row.get("heartRate") if isinstance(row, dict) else None
        if isinstance(measured, dict) and measured.get("maxValue") and not measured.get("restingValue"):
            day = _day({"startTimeLocal": row.get("calendarDate")})
            found += [day] if day else []
    return sorted(found, reverse=True)
