"""Garmin Connect itself, asked with the `garminconnect` client and the tokens in Parameter Store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from include.garmin.connect import activity_list, questions
from include.garmin.connect.activity_list import Listed
from include.garmin.connect.connection import Connection
from include.garmin.connect.questions import DISPLAY_NAME, Question
from include.garmin.connect.token_source import TokenSource
from include.garmin.connect.tokens import require_athlete_id
from include.garmin.document import Held, RawDocument, SourceError, nothing_held
from include.garmin.periods import months


class GarminConnectSource(TokenSource):
    """The athletes whose tokens `make garmin-login` stored.

    A range is asked for by calendar months, the newest first. Of a month: VO2max, nightly HRV and weight as ranges; the
    activity list and, for what it lists, the summaries; then every day's summary, sleep and training status. Requests
    name us beside the client (`connection.USER_AGENT`).
    """

    client = "garminconnect"

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        """Answers, each as received; tokens are read when the first question is asked.

        Without `start`, the whole list of activities, and days from the first activity on. `held` is not asked for;
        that the first page of a month's list is held says that its activities are, too.
        """
        require_athlete_id(athlete_id)
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        last = min(end or self._today, self._today)
        connection = Connection(athlete_id, self._store, partial(self._lease, athlete_id), self._manners, self._now)
        run = _Run(connection, held)
        return run.whole_history(last) if start is None else run.days_of(start, last)


@dataclass(frozen=True)
class _Run:
    """One fetch of one athlete."""

    connection: Connection
    held: Held

    def days_of(self, start: date, end: date) -> Iterator[RawDocument]:
        for first, last in months(start, end) if start <= end else ():
            yield from self._answers(questions.ranges(first, last))
            yield from activity_list.of_month(first, last, self._ask, self.held)
            yield from self._answers(questions.days(first, last))

    def whole_history(self, end: date) -> Iterator[RawDocument]:
        listed: list[Listed] = []
        for page, on_page in activity_list.whole_history(end, self._ask):
            yield page
            listed += on_page
        start = min((each.day for each in listed), default=None)
        for first, last in months(start, end) if start and start <= end else ():
            of_month = [each for each in listed if first <= each.day <= last]
            yield from self._answers(questions.ranges(first, last))
            yield from activity_list.summaries(of_month, self._ask, self.held)
            yield from self._answers(questions.days(first, last))

    def _answers(self, asked: Iterable[Question]) -> Iterator[RawDocument]:
        return (self._ask(question) for question in asked if not activity_list.is_held(question, self.held))

    def _ask(self, question: Question) -> RawDocument:
        path = question.path
        if DISPLAY_NAME in path:
            path = path.replace(DISPLAY_NAME, self.connection.display_name())
        body = self.connection.get(path, question.params, str(question))
        return RawDocument(question.kind, question.last_day, question.name, body)
