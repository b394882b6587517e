"""Asking many questions of which some are never answered: each costs its own answer and no other.

Garmin Connect answers some accounts with the same error for ever: a question about a device that the account does not
have, a broken night, a service that one region lacks. Such questions are noted and the others go on; at the end the
run fails with a message that names them. Raw does not hold them, so the next run asks them again.

What concerns every question still ends the run at once: 429, tokens that are refused, a service that is out of order,
and a refusal of everything, which is told from single refusals by a question that every account can answer.
"""

from collections import Counter
from collections.abc import Callable
from datetime import date

from include.garmin.connect.manners import OutOfService, QuestionFailed
from include.garmin.connect.questions import Question
from include.garmin.document import RawDocument, SourceError

TRIED_ONCE_AFTER = 3
"""After so many failures in a row, questions of that subject get one try each instead of all."""
DOUBTED_AFTER = 5
"""After so many failures in a row of whatever subject, Garmin is asked whether it answers at all."""
MOST_NAMED = 4
"""So many subjects are named with their days; a failure is shown in a line."""


class Unanswered(SourceError):
    """Some questions of a fetch have no answer; all other answers were handed out."""


class Asking:
    """The questions of one fetch of one athlete; what fails is noted, and raised by `finish`."""

    def __init__(
        self,
        athlete_id: str,
        answer: Callable[[Question, int | None], RawDocument],
        is_answering: Callable[[], bool],
    ) -> None:
        """Prepare to ask.

        Args:
            athlete_id: whose questions they are.
            answer: gives the answer to a question, in at most so many tries (None: as many as usual), or raises
                QuestionFailed when this question has none.
            is_answering: asks what every account can answer; False when that, too, has no answer.
        """
        self._athlete_id = athlete_id
        self._answer = answer
        self._is_answering = is_answering
        self._failed: list[tuple[str, date, str]] = []
        self._in_a_row: Counter[str] = Counter()
        self._since_answer = 0

    def ask(self, question: Question) -> RawDocument | None:
        """The answer; None when there is none, which is noted.

        Raises:
            SourceError: Garmin is not to be asked anything more (its kinds: see `Source.fetch`).
        """
        tries = 1 if self._in_a_row[question.subject] >= TRIED_ONCE_AFTER else None
        try:
            document = self._answer(question, tries)
        except QuestionFailed as error:
            self.note(question, error.reason)
        else:
            self._since_answer = self._in_a_row[question.subject] = 0
            return document
        self._in_a_row[question.subject] += 1
        self._since_answer += 1
        if self._since_answer % DOUBTED_AFTER == 0 and not self._is_answering():
            raise OutOfService(f"{self._message()}; nor does it answer anything else: run again later")
        return None

    def note(self, question: Question, reason: str) -> None:
        """Note a question whose answer is none that can be used."""
        self._failed.append((question.subject, question.last_day, reason))

    @property
    def failures(self) -> int:
        """How many questions have failed up to now."""
        return len(self._failed)

    def finish(self) -> None:
        """Raise Unanswered when a question failed, with all of them by name."""
        if self._failed:
            raise Unanswered(f"{self._message()}; all else is kept, and these are asked again by the next run")

    def _message(self) -> str:
        subjects: dict[str, list[tuple[date, str]]] = {}
        for subject, day, reason in self._failed:
            subjects.setdefault(subject, []).append((day, reason))
        named = ", ".join(_named(subject, found) for subject, found in list(subjects.items())[:MOST_NAMED])
        more = f" and {len(subjects) - MOST_NAMED} more kinds" if len(subjects) > MOST_NAMED else ""
        return f"Garmin Connect gave {self._athlete_id} no answer to {named}{more}"


def _named(subject: str, found: list[tuple[date, str]]) -> str:
    days = sorted(day for day, _ in found)
    span = f"{days[0]}" if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    reasons = "/".join(sorted({reason for _, reason in found})[:2])
    times = f"{len(found)} times " if len(found) > 1 else ""
    return f"{subject} of {span} ({times}{reasons})"
