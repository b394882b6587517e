"""The environment on Amazon MWAA, with AWS's answers given by botocore's stubber."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from include.deploy.stack import StackFailed, StackResult
from include.settings import Settings
from infra.deployment import mwaa as module
from infra.deployment.airflow_transport import AirflowAnswer, AirflowRefused, AirflowTransport, AirflowUnreachable
from infra.deployment.mwaa import (
    BUSY,
    FAILED,
    EnvironmentFailed,
    MwaaTransport,
    ObjectVersions,
    changed_files,
    environment,
    is_running,
    start_environment,
    stop_environment,
    wait_until_available,
)

NAME = "garmin-forecast"
SETTINGS = Settings(project=NAME, account_id="111122223333", region="eu-west-1")
KEYS = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


@pytest.fixture
def client() -> Any:
    return boto3.client("mwaa", **KEYS)


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def answer(status: str = "AVAILABLE", **more: Any) -> dict[str, Any]:
    found = {"Name": NAME, "Status": status, "AirflowVersion": "3.2.1", "EnvironmentClass": "mw1.small"}
    return {"Environment": found | more}


def test_every_status_of_the_service_is_known(client: Any) -> None:
    shape = client.meta.service_model.operation_model("GetEnvironment").output_shape
    statuses = shape.members["Environment"].members["Status"].enum
    assert set(statuses) == {"AVAILABLE", *BUSY, *FAILED}


def test_the_last_failed_update_is_told_in_aws_own_words(client: Any, stub: Stubber) -> None:
    error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "The requirements did not install."}
    update = {"Status": "FAILED", "CreatedAt": datetime(2026, 11, 26, tzinfo=UTC), "Error": error}
    stub.add_response("get_environment", answer("UPDATE_FAILED", LastUpdate=update), {"Name": NAME})
    found = environment(client, NAME)
    assert found is not None
    assert found.sentence == (
        "environment garmin-forecast is UPDATE_FAILED (was not updated, and runs as before where it can), Airflow 3.2.1 "
        "on mw1.small, the last update failed: INCORRECT_CONFIGURATION: The requirements did not install."
    )


def test_the_address_of_the_web_server_is_whole(client: Any, stub: Stubber) -> None:
    stub.add_response("get_environment", answer(WebserverUrl="https://c0.eu-west-1.airflow.amazonaws.com"))
    stub.add_response("get_environment", answer(WebserverUrl="c0.eu-west-1.airflow.amazonaws.com"))
    found = [environment(client, NAME), environment(client, NAME)]
    assert {e.url for e in found if e} == {"https://c0.eu-west-1.airflow.amazonaws.com"}


def test_no_environment_is_none(client: Any, stub: Stubber) -> None:
    stub.add_client_error("get_environment", "ResourceNotFoundException", http_status_code=404)
    assert environment(client, NAME) is None


def test_new_versions_of_requirements_or_startup_script_need_an_update_and_dags_none(
    client: Any, stub: Stubber
) -> None:
    stub.add_response("get_environment", answer(RequirementsS3ObjectVersion="r1", StartupScriptS3ObjectVersion="s1"))
    found = environment(client, NAME)
    assert found is not None
    assert changed_files(found, ObjectVersions("r1", "s1")) == ()
    assert changed_files(found, ObjectVersions("r2", "s1")) == ("airflow/requirements.txt",)
    assert changed_files(found, ObjectVersions("r1", "s2", "p1")) == ("airflow/startup.sh", "airflow/plugins.zip")
    assert ObjectVersions("r2", "s1").parameters() == {
        "RequirementsVersion": "r2",
        "StartupScriptVersion": "s1",
        "PluginsVersion": "",
    }


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_waiting_says_each_minute_what_it_waits_for(client: Any, stub: Stubber) -> None:
    for status in ["CREATING"] * 5 + ["AVAILABLE"]:
        stub.add_response("get_environment", answer(status))
    clock, lines = Clock(), list[str]()
    found = wait_until_available(client, NAME, on_progress=lines.append, sleep=clock.sleep, clock=clock)
    assert found.is_available
    assert lines == [
        f"garmin-forecast: CREATING, being made, which takes 20 to 30 minutes ({n} min so far)" for n in (0, 1, 2)
    ]


def test_waiting_ends_at_a_failure_with_its_reason(client: Any, stub: Stubber) -> None:
    stub.add_response("get_environment", answer("CREATING"))
    update = {"Status": "FAILED", "Error": {"ErrorMessage": "No route to S3."}}
    stub.add_response("get_environment", answer("CREATE_FAILED", LastUpdate=update))
    clock = Clock()
    with pytest.raises(EnvironmentFailed, match=r"CREATE_FAILED .*No route to S3\."):
        wait_until_available(client, NAME, sleep=clock.sleep, clock=clock)


def test_waiting_for_ever_is_given_up(client: Any, stub: Stubber) -> None:
    for _ in range(4):
        stub.add_response("get_environment", answer("UPDATING"))
    clock = Clock()
    with pytest.raises(EnvironmentFailed, match="did not become available within 1 min"):
        wait_until_available(client, NAME, timeout_s=60, sleep=clock.sleep, clock=clock)


def test_what_is_not_there_is_not_waited_for(client: Any, stub: Stubber) -> None:
    stub.add_client_error("get_environment", "ResourceNotFoundException", http_status_code=404)
    with pytest.raises(EnvironmentFailed, match="make deploy"):
        wait_until_available(client, NAME)


# Airflow's REST API


def test_a_request_and_its_answer_pass_through(client: Any, stub: Stubber) -> None:
    stub.add_response(
        "invoke_rest_api",
        {"RestApiStatusCode": 201, "RestApiResponse": {"name": "garmin_live", "slots": 1}},
        {"Name": NAME, "Path": "/pools", "Method": "POST", "Body": {"name": "garmin_live", "slots": 1}},
    )
    stub.add_response(
        "invoke_rest_api",
        {"RestApiStatusCode": 200, "RestApiResponse": {"dags": []}},
        {"Name": NAME, "Path": "/dags", "Method": "GET", "QueryParameters": {"limit": "5", "paused": "true"}},
    )
    airflow: AirflowTransport = MwaaTransport(client, NAME)
    made = airflow.request("POST", "/pools", json={"name": "garmin_live", "slots": 1})
    assert made == AirflowAnswer(201, {"name": "garmin_live", "slots": 1})
    assert airflow.request("GET", "/dags", params={"limit": 5, "paused": True}).body == {"dags": []}


@pytest.mark.parametrize(("code", "status"), [("RestApiClientException", 404), ("RestApiServerException", 500)])
def test_airflows_own_refusals_are_answers(client: Any, stub: Stubber, code: str, status: int) -> None:
    fields = {"RestApiStatusCode": status, "RestApiResponse": {"detail": "no such pool"}}
    stub.add_client_error("invoke_rest_api", code, http_status_code=400, modeled_fields=fields)
    assert MwaaTransport(client, NAME).request("GET", "/pools/x") == AirflowAnswer(status, {"detail": "no such pool"})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "airflow:InvokeRestApi"),
        ("ResourceNotFoundException", "make deploy"),
        ("ValidationException", "refused the request"),
    ],
)
def test_what_asking_again_cannot_mend_is_a_refusal(client: Any, stub: Stubber, code: str, words: str) -> None:
    stub.add_client_error("invoke_rest_api", code, "no")
    with pytest.raises(AirflowRefused, match=words):
        MwaaTransport(client, NAME).request("GET", "/version")


@pytest.mark.parametrize("code", ["InternalServerException", "ThrottlingException"])
def test_what_may_pass_is_unreachable(client: Any, stub: Stubber, code: str) -> None:
    stub.add_client_error("invoke_rest_api", code, "later", http_status_code=503)
    with pytest.raises(AirflowUnreachable, match="later"):
        MwaaTransport(client, NAME).request("GET", "/version")


def test_a_network_that_fails_is_unreachable(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://env.airflow.eu-west-1.amazonaws.com")

    monkeypatch.setattr(client, "invoke_rest_api", fail)
    with pytest.raises(AirflowUnreachable, match="did not answer"):
        MwaaTransport(client, NAME).request("GET", "/version")


def test_a_path_that_mwaa_does_not_take_is_refused_before_it_is_sent(client: Any) -> None:
    limit = client.meta.service_model.operation_model("InvokeRestApi").input_shape.members["Path"].metadata["max"]
    assert limit == module.MAX_PATH
    run = "/dags/garmin_backfill/dagRuns/manual__2026-11-26T10:00:00+00:00/taskInstances"
    with pytest.raises(AirflowRefused, match="64 characters"):
        MwaaTransport(client, NAME).request("GET", run)


# Start and stop


def stack(status: str, running: str) -> dict[str, Any]:
    parameters = [{"ParameterKey": "Running", "ParameterValue": running}]
    described = {"StackName": f"{NAME}-mwaa", "StackStatus": status, "CreationTime": datetime(2026, 11, 26, tzinfo=UTC)}
    return {"Stacks": [described | {"Parameters": parameters}]}


@pytest.mark.parametrize(
    ("status", "running", "expected"),
    [
        ("CREATE_COMPLETE", "true", True),
        ("UPDATE_COMPLETE", "false", False),
        # Something of the environment may be left: stopping again finishes it.
        ("UPDATE_ROLLBACK_COMPLETE", "false", True),
        ("ROLLBACK_COMPLETE", "true", True),
        ("REVIEW_IN_PROGRESS", "true", False),
    ],
)
def test_an_environment_runs_until_its_stack_says_otherwise(status: str, running: str, expected: bool) -> None:
    cloudformation = boto3.client("cloudformation", **KEYS)
    with Stubber(cloudformation) as stubber:
        stubber.add_response("describe_stacks", stack(status, running), {"StackName": f"{NAME}-mwaa"})
        assert is_running(cloudformation, SETTINGS) is expected


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []

    def record(_clients: Any, _settings: Settings, name: str, **arguments: Any) -> StackResult:
        found.append((name, dict(arguments["overrides"])))
        return StackResult({"WebserverUrl": "https://u"}, changed=True)

    monkeypatch.setattr(module.project, "deploy", record)
    return found


def clients_with(monkeypatch: pytest.MonkeyPatch, *, running: bool) -> Any:
    monkeypatch.setattr(module, "is_running", lambda *_: running)
    return lambda service: boto3.client(service, **KEYS)


def test_stopping_takes_the_environment_away_and_says_what_stays(
    monkeypatch: pytest.MonkeyPatch, deployed: list[tuple[str, dict[str, str]]]
) -> None:
    stopped = stop_environment(clients_with(monkeypatch, running=True), SETTINGS)
    assert deployed == [("mwaa", {"Running": "false"})]
    assert stopped.was_running
    assert any("bucket" in sentence for sentence in stopped.kept)
    assert any("history of runs" in sentence for sentence in stopped.lost)
    assert any("garmin-forecast-stop" in sentence for sentence in stopped.still_costs)


def test_stopping_what_does_not_run_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, deployed: list[tuple[str, dict[str, str]]]
) -> None:
    assert not stop_environment(clients_with(monkeypatch, running=False), SETTINGS).was_running
    assert deployed == []


def test_starting_makes_the_environment_of_the_files_given(
    monkeypatch: pytest.MonkeyPatch, deployed: list[tuple[str, dict[str, str]]]
) -> None:
    clients = clients_with(monkeypatch, running=False)
    done = start_environment(clients, SETTINGS, overrides=ObjectVersions("r1", "s1").parameters())
    assert done.outputs["WebserverUrl"] == "https://u"
    versions = {"RequirementsVersion": "r1", "StartupScriptVersion": "s1", "PluginsVersion": ""}
    assert deployed == [("mwaa", versions | {"Running": "true"})]


def test_what_was_never_deployed_is_not_started_without_its_files(deployed: list[tuple[str, dict[str, str]]]) -> None:
    cloudformation = boto3.client("cloudformation", **KEYS)
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack does not exist")
        with pytest.raises(StackFailed, match="make deploy"):
            start_environment(lambda _: cloudformation, SETTINGS)
    assert deployed == []
