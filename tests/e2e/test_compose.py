"""docker compose for real: from nothing to forecasts, every container killed, taken down and up again.

Runs where a Docker engine runs, or can be started by ../shared/tools/docker-engine (`make compose-test`). There PostgreSQL
is version 15 from Debian, standing in for the image postgres:16 (tests/compose/postgres). The tests follow one another.
"""

import re
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.compose.containers import LASTING, Containers, Forecast, copy_checkout
from tests.compose.engine import NoEngine, engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1500)]

SOURCE = "synthetic:athletes=3,years=2,seed=7"
ATHLETES = ("athlete-01", "athlete-02", "athlete-03")
PIPELINE_LIMIT_S = 600


class Deployment:
    """The containers, what `provision` said, and the forecasts that came first."""

    def __init__(self, containers: Containers) -> None:
        self.containers = containers
        self.healthy_s = containers.up()
        started = time.monotonic()
        self.said = containers.provision(PIPELINE_LIMIT_S)
        self.pipeline_s = time.monotonic() - started
        self.first = self.forecasts()
        print(f"healthy after {self.healthy_s:.0f} s, forecasts {self.pipeline_s:.0f} s later", file=sys.stderr)

    def forecasts(self) -> list[Forecast]:
        return [self.containers.forecast(self.said, athlete) for athlete in ATHLETES]

    def same_forecasts(self) -> bool:
        """Whether the API answers as it did first; not yet while a restarted endpoint wakes."""
        try:
            return self.forecasts() == self.first
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    try:
        with engine() as running:
            containers = Containers(running, folder, SOURCE)
            try:
                containers.build()
                yield Deployment(containers)
            finally:
                containers.down("--volumes")
    except NoEngine as reason:
        pytest.skip(str(reason))


def test_every_athlete_has_a_forecast_over_rest(deployment: Deployment) -> None:
    assert [(f.status, f.document.get("athlete_id")) for f in deployment.first] == [(200, name) for name in ATHLETES]
    assert all(len(forecast.document["days"]) == 42 for forecast in deployment.first)


def addresses(said: str) -> dict[str, str]:
    """The addresses that `provision` printed last, by what they are of."""
    found = re.findall(r"^  (Airflow|Page|REST) .*(http://[^\s\"]+)", said, re.MULTILINE)
    return dict(found[-3:])


def test_the_three_addresses_are_those_of_this_machine(deployment: Deployment) -> None:
    found = addresses(deployment.said)
    assert set(found) == {"Airflow", "Page", "REST"}
    assert all(address.startswith("http://127.0.0.1:") for address in found.values())
    for name in ("Airflow", "Page"):
        assert httpx.get(found[name].split("#")[0], follow_redirects=True, timeout=60).status_code == 200


def test_nothing_is_reached_from_other_machines(deployment: Deployment) -> None:
    own = deployment.containers
    expected = {"airflow-api-server": [f"127.0.0.1:{own.port_airflow}"], "local-aws": [f"127.0.0.1:{own.port_aws}"]}
    assert {service: found for service, found in own.published().items() if found} == expected


def test_nobody_is_root_and_no_container_writes_into_its_image(deployment: Deployment) -> None:
    for service in LASTING:
        assert int(deployment.containers.execute(service, "id", "-u")) > 0, service
        assert "No" in deployment.containers.execute(service, "sh", "-c", "touch /opt/x 2>/dev/null || echo No"), (
            service
        )


def test_tasks_act_under_their_role_and_what_runs_no_tasks_cannot(deployment: Deployment) -> None:
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    arn = deployment.containers.execute("airflow-scheduler", "python3", "-c", who)
    assert arn.split("/")[1] == "garmin-forecast-tasks"
    reach = "import socket; socket.create_connection(('169.254.170.2', 4566), 3)"
    refused = f'python3 -c "{reach}" 2>/dev/null || echo refused'
    for service in ("airflow-api-server", "airflow-dag-processor"):
        assert deployment.containers.execute(service, "sh", "-c", refused) == "refused"


def test_no_call_of_a_role_was_denied(deployment: Deployment) -> None:
    calls = httpx.get(f"http://127.0.0.1:{deployment.containers.port_aws}/_localaws/iam/calls").json()
    assert calls["denied"] == []


def test_a_web_page_cannot_reach_local_aws_under_a_name_of_its_own(deployment: Deployment) -> None:
    url = f"http://127.0.0.1:{deployment.containers.port_aws}/"
    assert httpx.get(url, headers={"Host": "rebound.example.com:4566"}).status_code == 403


def test_the_secrets_are_their_owners_alone(deployment: Deployment) -> None:
    listed = deployment.containers.execute(
        "airflow-scheduler", "stat", "--format=%a %U %n", "/var/lib/forecast/secrets/airflow.json"
    )
    assert listed.startswith("600 forecast ")


def test_an_edit_of_a_dag_shows_without_a_new_image(deployment: Deployment) -> None:
    own = deployment.containers
    file = own.folder / "dags/ingest.py"
    file.write_text(file.read_text().replace('"ingest"]', '"ingest", "edited"]'))

    def tags() -> set[str]:
        return {tag["name"] for tag in own.airflow("/dags/garmin_ingest")["tags"]}

    own.wait_until(lambda: "edited" in tags(), "edited tag", 120)


@pytest.mark.parametrize("service", LASTING)
def test_a_killed_container_comes_back_and_nothing_is_lost(service: str, deployment: Deployment) -> None:
    own = deployment.containers
    own.kill(service)
    own.wait_until(lambda: own.unhealthy() == [], f"everything healthy after the end of {service}", 240)
    own.wait_until(deployment.same_forecasts, "the same forecasts", 90)


def test_a_run_is_finished_although_scheduler_local_aws_and_database_are_killed(deployment: Deployment) -> None:
    own = deployment.containers
    run_id = own.trigger("garmin_ingest")
    for service in ("airflow-scheduler", "local-aws", "postgres"):
        time.sleep(4)
        own.kill(service)
    own.wait_until(lambda: own.unhealthy() == [], "everything healthy", 240)
    assert own.wait_until(lambda: own.ended("garmin_ingest", run_id), "end of the run", 420) == "success"
    assert deployment.same_forecasts()


def test_down_and_up_goes_on_where_it_was(deployment: Deployment) -> None:
    own = deployment.containers
    own.down()
    own.up()
    own.wait_until(deployment.same_forecasts, "the same forecasts", 60)
    runs = own.airflow("/dags/model_build/dagRuns")["total_entries"]
    said = own.provision(PIPELINE_LIMIT_S)
    assert addresses(said) == addresses(deployment.said)
    assert own.airflow("/dags/model_build/dagRuns")["total_entries"] == runs
