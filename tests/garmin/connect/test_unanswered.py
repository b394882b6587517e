from collections.abc import Callable
from datetime import date, timedelta

import pytest

from include.garmin.connect import questions
from include.garmin.connect.manners import OutOfService, QuestionFailed
from include.garmin.connect.questions import Question
from include.garmin.connect.unanswered import DOUBTED_AFTER, TRIED_ONCE_AFTER, Asking, Unanswered
from include.garmin.document import LoginNeeded, RawDocument, TooManyRequests

FIRST = date(2026, 2, 1)


class _Garmin:
    """Answers all but the subjects that it fails; notes how many tries it was given."""

    def __init__(
        self, *failing: str, error: Callable[[], Exception] = lambda: QuestionFailed("no", "HTTP 500")
    ) -> None:
        self.failing, self.error, self.has_profile = failing, error, True
        self.tries: list[int | None] = []
        self.profiles = 0

    def answer(self, question: Question, tries: int | None) -> RawDocument:
        self.tries.append(tries)
        if question.subject in self.failing:
            raise self.error()
        return RawDocument(question.kind, question.last_day, question.name, b"{}")

    def is_answering(self) -> bool:
        self.profiles += 1
        return self.has_profile

    def asking(self) -> Asking:
        return Asking("ann", self.answer, self.is_answering)


def _days(count: int) -> list[Question]:
    return list(questions.days(FIRST, FIRST + timedelta(days=count - 1)))


def test_a_question_that_fails_costs_its_own_answer_and_is_named_at_the_end() -> None:
    asking = _Garmin("sleep").asking()
    answered = [question.subject for question in _days(10) if asking.ask(question)]
    assert answered == ["day summary", "training_status"] * 10
    with pytest.raises(Unanswered) as named:
        asking.finish()
    message = str(named.value)
    assert "no answer to sleep of 2026-02-01 to 2026-02-10 (10 times HTTP 500);" in message
    assert "ann" in message and "asked again by the next run" in message


def test_when_all_is_answered_nothing_is_raised() -> None:
    asking = _Garmin().asking()
    assert all(asking.ask(question) for question in _days(3))
    asking.finish()


def test_a_subject_that_keeps_failing_gets_one_try_each_until_it_is_answered_again() -> None:
    garmin = _Garmin("sleep")
    asking = garmin.asking()
    nights = [question for question in _days(TRIED_ONCE_AFTER + 3) if question.subject == "sleep"]
    for night in nights[:-2]:
        asking.ask(night)
    garmin.failing = ()
    assert asking.ask(nights[-2]) and asking.ask(nights[-1])
    assert garmin.tries == [None] * TRIED_ONCE_AFTER + [1, 1, None]


def test_a_refusal_of_everything_stops_the_run() -> None:
    garmin = _Garmin("day summary", "sleep", "training_status")
    garmin.has_profile = False
    asking = garmin.asking()
    asked = 0
    with pytest.raises(OutOfService, match=r"day summary of .* nor does it answer anything else"):
        for question in _days(10):
            asked += 1
            asking.ask(question)
    assert asked == DOUBTED_AFTER and garmin.profiles == 1


def test_refusals_of_all_days_by_an_account_that_is_known_stop_nothing() -> None:
    garmin = _Garmin("day summary", "sleep", "training_status")
    asking = garmin.asking()
    assert [asking.ask(question) for question in _days(4)] == [None] * 12
    assert garmin.profiles == 12 // DOUBTED_AFTER


@pytest.mark.parametrize("error", [TooManyRequests(60), LoginNeeded("log in"), OutOfService("later")], ids=repr)
def test_what_concerns_every_question_ends_the_run_at_once(error: Exception) -> None:
    garmin = _Garmin("sleep", error=lambda: error)
    with pytest.raises(type(error)):
        for question in _days(2):
            garmin.asking().ask(question)
    assert len(garmin.tries) == 2


def test_the_message_is_short_however_many_questions_failed() -> None:
    asking = _Garmin().asking()
    for question in [*questions.ranges(FIRST, FIRST), *_days(300), questions.activity(501, FIRST)]:
        asking.note(question, "HTTP 403")
    with pytest.raises(Unanswered) as named:
        asking.finish()
    assert len(str(named.value)) < 400 and "and 3 more kinds" in str(named.value)
