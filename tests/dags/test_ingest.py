from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dags import backfill
from dags.ingest import window
from include.garmin.document import KeyNeeded, LoginNeeded, SourceError, TooManyRequests, UnknownAthlete
from include.ingest.report import Report
from include.quality import DataRejected
from plugins.operators.athletes import WARNED, failures, label, retry_helps, tell_warnings

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


def worked(work: Callable[[str], Any], *athletes: str) -> Report:
    report = Report()
    report.done += report.for_each(athletes, "fetch", work)
    return report


def test_the_grid_names_the_failed_athletes_first_and_verdict_each_with_its_step() -> None:
    def work(athlete: str) -> str:
        if athlete == "bob":
            raise ValueError("his file is broken")
        return "done"

    report = worked(work, "ann", "bob", "cleo")
    assert label(report) == "FAILED bob, ann, cleo"
    assert failures(report) == {"bob in fetch": "ValueError: his file is broken"}
    assert retry_helps(report)


@pytest.mark.parametrize(
    "error",
    [
        SourceError("no file"),
        LoginNeeded("run it"),
        DataRejected("no day"),
        UnknownAthlete("who"),
        TooManyRequests(90),
        KeyNeeded("make a key"),
        ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"),
    ],
)
def test_what_the_next_try_would_meet_again_is_not_retried(error: Exception) -> None:
    def work(athlete: str) -> str:
        raise error

    assert not retry_helps(worked(work, "bob"))
    assert not retry_helps(Report())


def test_one_failure_that_may_pass_is_retried_though_another_is_final() -> None:
    errors = iter([SourceError("no file"), OSError("network")])

    def work(athlete: str) -> str:
        raise next(errors)

    assert retry_helps(worked(work, "ann", "bob"))


def test_a_backfill_run_of_the_schedule_has_its_month() -> None:
    month = datetime(2026, 2, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert backfill.window(NO_DAYS, "backfill", *month) == (date(2026, 2, 1), date(2026, 2, 28))
    assert backfill.window(NO_DAYS, "manual", *month) == (None, None)
    days = {"from": "2020-01-01", "to": None}
    assert backfill.window(days, "manual", None, None) == (date(2020, 1, 1), None)


class RunOfTasks:
    """As much of a task instance as `verdict` uses: states of a run's tasks, and the warnings that they pushed."""

    dag_id, run_id = "garmin_ingest", "r1"

    def __init__(self, states: dict[str, str], warnings: dict[tuple[str, int], list[str]]) -> None:
        self.states, self.warnings = states, warnings
        self.pushed: dict[str, Any] = {}

    def get_task_states(self, **_: Any) -> Any:
        return {self.run_id: self.states}

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        return self.warnings.get((task_ids, map_indexes)) if key == WARNED else None

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def test_verdict_warns_of_what_any_task_foresaw_once(caplog: pytest.LogCaptureFixture) -> None:
    states = {"plan": "success", "fetch_live_0": "success", "fetch_live_1": "failed", "fetch_live_2": "success"}
    run = RunOfTasks(states, {("fetch_live", 0): ["ann's key ends"], ("fetch_live", 1): ["ann's key ends", "bob's"]})
    tell_warnings(run)
    assert run.pushed == {WARNED: ["ann's key ends", "bob's"]}
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["ann's key ends", "bob's"]


def test_verdict_is_silent_where_nothing_was_foreseen() -> None:
    run = RunOfTasks({"plan": "success", "fetch_live": "skipped"}, {})
    tell_warnings(run)
    assert run.pushed == {}
