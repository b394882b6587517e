"""The chain goes on from where an earlier attempt left it: nothing is run that is on its way already."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.settings import settings
from infra.deployment.addresses import Addresses, Urls
from infra.deployment.airflow_api import Run
from infra.deployment.chain import Chain, explained, wait_for_airflow
from infra.deployment.failure import NotDeployed
from tests.deployment.homes import quiet

NOW = datetime.now(UTC)


class Airflow:
    """Runs as a test gives them; every followed run succeeds unless it is named."""

    def __init__(self, *runs: tuple[str, Run], failing: str = "") -> None:
        self.present, self.failing = runs, failing
        self.done: list[str] = []

    def runs(self, dag_id: str, since: datetime | None = None) -> list[Run]:
        return [run for name, run in self.present if name == dag_id and (since is None or run.due_at >= since)]

    def trigger(self, dag_id: str) -> str:
        self.done.append(f"trigger {dag_id}")
        return "by hand"

    def first_run(self, dag_id: str, since: datetime, timeout_s: float, sleep: Callable[[float], None]) -> str:
        return next((run.run_id for run in self.runs(dag_id, since)), "next")

    def follow(self, dag_id: str, run_id: str, timeout_s: float, detail: Callable[[str], None]) -> str:
        self.done.append(f"follow {dag_id} {run_id}")
        return "failed" if dag_id == self.failing else "success"

    def unpause(self, dag_id: str) -> None:
        pass

    def tasks(self, dag_id: str, run_id: str) -> list[Any]:
        return []

    def health(self) -> dict[str, str]:
        return {"metadatabase": "healthy", "scheduler": "unhealthy"}


def chain_of(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A chain whose forecasts answer once a deployment was followed."""
    urls = Urls("http://airflow", None)
    made = Chain(airflow, lambda _: None, settings(), quiet(), ["ann"], urls, urls)  # type: ignore[arg-type]
    monkeypatch.setattr(Chain, "answers", lambda _: any("model_deploy" in line for line in airflow.done))
    monkeypatch.setattr(Chain, "addresses", lambda _: Addresses("a", "b", "c"))
    monkeypatch.setattr(Chain, "_newest_package", lambda _: {"ModelApprovalStatus": "Approved"})
    return made


def active(run_id: str, ago: timedelta = timedelta(minutes=3)) -> Run:
    return Run(run_id, "running", NOW - ago)


def test_from_nothing_all_three_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Airflow(("model_build", Run("old", "success", NOW - timedelta(days=1))))
    chain_of(airflow, monkeypatch).bring_to_forecast()
    assert airflow.done == [
        "trigger garmin_ingest",
        "follow garmin_ingest by hand",
        "follow model_build next",
        "follow model_deploy next",
    ]


@pytest.mark.parametrize(
    ("dag_id", "done"),
    [
        ("garmin_ingest", ["follow garmin_ingest left", "follow model_build next", "follow model_deploy next"]),
        ("model_build", ["follow model_build left", "follow model_deploy next"]),
        ("model_deploy", ["follow model_deploy left"]),
    ],
)
def test_what_was_left_on_its_way_is_followed(monkeypatch: pytest.MonkeyPatch, dag_id: str, done: list[str]) -> None:
    airflow = Airflow((dag_id, active("left")))
    chain_of(airflow, monkeypatch).bring_to_forecast()
    assert airflow.done == done


def test_where_forecasts_answer_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Airflow()
    made = chain_of(airflow, monkeypatch)
    monkeypatch.setattr(Chain, "answers", lambda _: True)
    made.bring_to_forecast()
    assert airflow.done == []


def test_a_failed_run_is_said_with_where_its_logs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = chain_of(Airflow(failing="model_build"), monkeypatch)
    said = r"model_build failed: run next ended as failed\.\nAll logs: /logs"
    with pytest.raises(NotDeployed, match=said), explained(made, "/logs"):
        made.bring_to_forecast()


def test_an_airflow_that_does_not_come_up_names_what_is_missing() -> None:
    with pytest.raises(NotDeployed, match=r"\(dag_processor, scheduler, triggerer\); look at /logs"):
        wait_for_airflow(Airflow(), 0, "/logs", lambda _: None)  # type: ignore[arg-type]
