"""Garmin Connect itself, asked with the `garminconnect` client and the tokens in Parameter Store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from include.garmin.connect import activity_list, questions
from include.garmin.connect.activity_list import Listed
from include.garmin.connect.connection import Connection
from include.garmin.connect.manners import QuestionFailed
from include.garmin.connect.questions import DISPLAY_NAME, Question
from include.garmin.connect.token_source import TokenSource
from include.garmin.connect.tokens import require_athlete_id
from include.garmin.connect.unanswered import Asking
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
        that the first page of a month's list is held says that its activities are, too. Questions without an answer are
        passed over, and named by the error (`Unanswered`) that comes after the last answer.
        """
        require_athlete_id(athlete_id)
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        last = min(end or self._today, self._today)
        connection = Connection(athlete_id, self._store, partial(self._lease, athlete_id), self._manners, self._now)
        asking = Asking(athlete_id, partial(_answer, connection), partial(_is_answering, connection))
        run = _Run(asking, held)
        return run.whole_history(last) if start is None else run.days(start, last)


@dataclass(frozen=True)
class _Run:
    """One fetch of one athlete."""

    asking: Asking
    held: Held

    def days(self, start: date, end: date) -> Iterator[RawDocument]:
        for first, last in months(start, end) if start <= end else ():
            yield from activity_list.answers(questions.ranges(first, last), self.asking, self.held)
            yield from activity_list.month_documents(first, last, self.asking, self.held)
            yield from activity_list.answers(questions.days(first, last), self.asking, self.held)
        self.asking.finish()

    def whole_history(self, end: date) -> Iterator[RawDocument]:
        listed: list[Listed] = []
        for page in activity_list.whole_history(end, self.asking):
            yield page.document
            listed += page.listed
        start = min((each.day for each in listed), default=None)
        for first, last in months(start, end) if start and start <= end else ():
            in_month = [each for each in listed if first <= each.day <= last]
            yield from activity_list.answers(questions.ranges(first, last), self.asking, self.held)
            yield from activity_list.summaries(in_month, self.asking, self.held)
            yield from activity_list.answers(questions.days(first, last), self.asking, self.held)
        self.asking.finish()


def _answer(connection: Connection, question: Question, tries: int | None) -> RawDocument:
    path = question.path
    if DISPLAY_NAME in path:
        path = path.replace(DISPLAY_NAME, connection.display_name())
    body = connection.get(path, question.params, str(question), tries)
    return RawDocument(question.kind, question.last_day, question.name, body)


def _is_answering(connection: Connection) -> bool:
    try:
        connection.profile()
    except QuestionFailed:
        return False
    return True
