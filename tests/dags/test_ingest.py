from datetime import UTC, date, datetime
from typing import Any

import pytest

from dags.ingest import window
from plugins.operators.athletes import AthletesFailed, batches, for_each

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


@pytest.mark.parametrize("count", [0, 1, 2, 3, 12, 25, 49, 50, 51, 300])
def test_batches_hold_every_athlete_once_in_order_and_are_even(count: int) -> None:
    athletes = [f"a{i}" for i in range(count)]
    made = batches(athletes)
    assert [athlete for batch in made for athlete in batch] == athletes
    sizes = [len(batch) for batch in made]
    assert all(0 < size <= 25 for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_two_workers_share_few_athletes() -> None:
    assert batches(["a", "b", "c", "d"]) == [["a", "b"], ["c", "d"]]


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
    with pytest.raises(AthletesFailed, match=r"1 of 3 athletes failed.*bob: ValueError: his file is broken"):
        outcome.raise_for_failures()


def test_no_failure_raises_nothing() -> None:
    outcome = for_each(["ann"], lambda _: "done")
    outcome.raise_for_failures()
    assert (outcome.done, outcome.failed) == (["ann"], {})
