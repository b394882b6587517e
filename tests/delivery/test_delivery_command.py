"""The commands: what is refused with one line, and what the environment's file decides."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from include.deploy import project
from include.deploy.stack import StackResult
from infra.delivery import __main__ as command
from infra.deployment.environment import Environment

HERE, ELSEWHERE = "123456789012", "999999999999"
CONNECTION = {"Source": "connection", "Branch": "release"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment behind a Git connection; every command reads it."""
    read = Environment(name="prod", home="laptop", account_id=HERE, stacks={"delivery": CONNECTION})
    monkeypatch.setattr(command, "read_environment", lambda _: read)
    return read


def use_account(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """Let the credentials be the deployer's of an account."""
    arn = f"arn:aws:sts::{account}:assumed-role/garmin-forecast-deployer/ada"
    sts = SimpleNamespace(get_caller_identity=lambda: {"Arn": arn})
    session = SimpleNamespace(client=lambda service: {"sts": sts}[service])
    monkeypatch.setattr(boto3, "Session", lambda region_name: session)


def test_an_unknown_environment_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["publish", "--environment", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("publish: there is no environment 'nowhere'")


def test_a_git_connection_needs_to_be_told_where_it_leads(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["publish", "--environment", "prod"]) == 1
    said = capsys.readouterr().err
    assert said == "publish: the environment prod uses a Git connection: say --remote ModelBuild=URL\n"


def test_a_remote_of_no_repository_is_refused(environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["publish", "--environment", "prod", "--remote", "Model=x"]) == 1
    assert "write ModelBuild=URL or ModelDeploy=URL" in capsys.readouterr().err


def test_the_stack_takes_the_parameters_of_the_environment(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_account(monkeypatch, HERE)
    asked: dict[str, Any] = {}

    def deploy(_: Any, settings: Any, name: str, *, overrides: dict[str, str], **__: Any) -> StackResult:
        asked.update(overrides, stack=settings.stack(name))
        return StackResult({}, changed=True)

    monkeypatch.setattr(project, "deploy", deploy)
    assert command.main(["stack", "--environment", "prod"]) == 0
    assert asked == {"ProductionEnvironment": "prod", "stack": "garmin-forecast-delivery", **CONNECTION}


def test_nothing_is_changed_in_another_account(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_account(monkeypatch, ELSEWHERE)
    assert command.main(["stack", "--environment", "prod"]) == 1
    said = capsys.readouterr().err
    assert f"account {ELSEWHERE} and environment prod is account {HERE}: nothing was changed" in said
    assert said.count("\n") == 1
