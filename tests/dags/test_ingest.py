from datetime import UTC, date, datetime
from typing import Any

import pytest

from dags import backfill
from dags.ingest import window
from include.garmin.document import LoginNeeded, SourceError, TooManyRequests, UnknownAthlete
from plugins.operators.athletes import DataRejected, for_each

NO_DAYS: dict[str, Any] = {"from": None, "to": None}
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)


def test_a_scheduled_run_has_its_day_and_three_before_for_late_syncs() -> None:
    assert window(NO_DAYS, "scheduled", MIDNIGHT) == (date(2026, 3, 7), date(2026, 3, 10))


def test_by_hand_without_days_is_all_there_is() -> None:
    assert window(NO_DAYS, "manual", None) == (None, None)
    assert window(NO_DAYS, "manual", MIDNIGHT) == (None, None)


@pytest.mark.parametrize("run_type", ["manual", "scheduled"])
def test_days_given_count_first(run_type: str) -> None:
    days = {"from": "2025-01-01", "to": "2025-01-31"}
    assert window(days, run_type, MIDNIGHT) == (date(2025, 1, 1), date(2025, 1, 31))
    assert window({"from": "2025-01-01", "to": None}, run_type, MIDNIGHT) == (date(2025, 1, 1), None)


def test_one_athletes_failure_is_named_and_the_others_go_on() -> None:
    worked: list[str] = []

    def work(athlete: str) -> str:
        if athlete == "bob":
            raise ValueError("his file is broken")
        worked.append(athlete)
        return "done"

    outcome = for_each(["ann", "bob", "cleo"], work)
    assert worked == ["ann", "cleo"]
    assert outcome.label == "FAILED bob, ann, cleo"
    assert outcome.failure == ("1 of 3 athletes failed, the others are done. bob: ValueError: his file is broken")
    assert outcome.retry_helps


def test_no_failure_is_none() -> None:
    outcome = for_each(["ann"], lambda _: "done")
    assert (outcome.done, outcome.failed, outcome.failure) == (["ann"], {}, None)


@pytest.mark.parametrize(
    "error", [SourceError("no file"), LoginNeeded("run it"), DataRejected("no day"), UnknownAthlete("who")]
)
def test_what_the_next_try_would_meet_again_is_not_retried(error: Exception) -> None:
    def work(athlete: str) -> str:
        if athlete == "bob":
            raise error
        return "done"

    outcome = for_each(["bob", "ann"], work)
    assert not outcome.retry_helps
    assert outcome.done == ["ann"]


def test_one_failure_that_may_pass_is_retried_though_another_is_final() -> None:
    errors = iter([SourceError("no file"), OSError("network")])

    def work(athlete: str) -> str:
        raise next(errors)

    assert for_each(["ann", "bob"], work).retry_helps


def test_nobody_is_asked_for_after_garmin_said_429() -> None:
    asked: list[str] = []

    def work(athlete: str) -> str:
        asked.append(athlete)
        if athlete == "bob":
            raise TooManyRequests(90)
        return "done"

    outcome = for_each(["ann", "bob", "cleo"], work)
    assert asked == ["ann", "bob"]
    assert sorted(outcome.failed) == ["bob", "cleo"]
    assert "90 s" in outcome.failed["cleo"]
    assert not outcome.retry_helps


def test_a_backfill_run_of_the_schedule_has_its_month() -> None:
    month = datetime(2026, 2, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert backfill.window(NO_DAYS, "backfill", *month) == (date(2026, 2, 1), date(2026, 2, 28))
    assert backfill.window(NO_DAYS, "manual", *month) == (None, None)
    days = {"from": "2020-01-01", "to": None}
    assert backfill.window(days, "manual", None, None) == (date(2020, 1, 1), None)
