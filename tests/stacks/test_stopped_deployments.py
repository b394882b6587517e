"""A deployment stopped at any point is finished by running it again: kill -9 of the deployer, of local AWS, failed
rollbacks."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.deploy import project
from include.deploy.release import ROOT
from include.deploy.stack import StackFailed, deploy_stack, find_stack
from include.settings import Settings
from tests.localaws.conftest import LocalAws
from tests.stacks.test_deploy import BROKEN, topic

pytestmark = pytest.mark.timeout(120)
STACKS = ("access", "data", "ml", "features")
CODE_BUCKET = "stopped-code"

DEPLOY_AND_DIE = """
import json, os, signal, sys
import boto3
from include.deploy.stack import delete_stack, deploy_stack

url, call, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = boto3.client("cloudformation", endpoint_url=url, region_name="us-east-1", aws_access_key_id="local",
                      aws_secret_access_key="local")

def die(**_):
    os.kill(os.getpid(), signal.SIGKILL)

client.meta.events.register(f"after-call.cloudformation.{call}", die)
deploy_stack(client, **arguments)
"""


def deploy_and_die(localaws: LocalAws, call: str, **arguments: Any) -> None:
    """Deploy in a process that is killed once CloudFormation has answered `call`."""
    command = [sys.executable, "-c", DEPLOY_AND_DIE, localaws.url, call, json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def status(localaws: LocalAws, name: str) -> str:
    return str((find_stack(localaws.client("cloudformation"), name) or {"StackStatus": "gone"})["StackStatus"])


@pytest.fixture(scope="module")
def code(localaws: LocalAws) -> Any:
    """Puts code of a function into a bucket, or takes it away."""
    s3 = localaws.client("s3")
    s3.create_bucket(Bucket=CODE_BUCKET)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {}\n")

    def put(key: str, there: bool = True) -> None:
        if there:
            s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=packed.getvalue())
        else:
            s3.delete_object(Bucket=CODE_BUCKET, Key=key)

    return put


def function(name: str, key: str, **more: Any) -> str:
    """A template of a function whose code is an object, and more."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    properties = {
        "FunctionName": name,
        "Handler": "index.handler",
        "Runtime": "python3.12",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"S3Bucket": CODE_BUCKET, "S3Key": key},
    }
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": properties},
    }
    return json.dumps({"Resources": {**resources, **more}})


FAILS = {"Broken": {**BROKEN["Broken"], "DependsOn": "Function"}}


@pytest.mark.parametrize("call", ["CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet"])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_killed_deployer_is_run_again(localaws: LocalAws, call: str, earlier: bool) -> None:
    name = f"killed-{call}-{earlier}"
    cloudformation = localaws.client("cloudformation")
    if earlier:
        deploy_stack(cloudformation, name, {"Value": "old"}, template_body=topic(name))
    deploy_and_die(localaws, call, name=name, parameters={"Value": "new"}, template_body=topic(name))
    again = deploy_stack(cloudformation, name, {"Value": "new"}, template_body=topic(name))
    assert again.outputs["Value"] == "new"
    assert status(localaws, name) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert localaws.client("ssm").get_parameter(Name=f"/t/{name}")["Parameter"]["Value"] == "new"


@pytest.mark.parametrize("earlier", [False, True])
def test_a_deployer_killed_while_cloudformation_goes_back_is_run_again(localaws: LocalAws, earlier: bool) -> None:
    name = f"killed-back-{earlier}"
    cloudformation = localaws.client("cloudformation")
    if earlier:
        deploy_stack(cloudformation, name, {"Value": "old"}, template_body=topic(name))
    broken = topic(name, **BROKEN)
    deploy_and_die(localaws, "ExecuteChangeSet", name=name, parameters={"Value": "new"}, template_body=broken)
    assert deploy_stack(cloudformation, name, {"Value": "new"}, template_body=topic(name)).outputs["Value"] == "new"


def test_a_deployer_killed_while_it_deletes_a_failed_creation_is_run_again(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    with pytest.raises(StackFailed):
        deploy_stack(cloudformation, "killed-leftover", {"Value": "a"}, template_body=topic("k", **BROKEN))
    arguments = {"name": "killed-leftover", "parameters": {"Value": "a"}, "template_body": topic("k")}
    deploy_and_die(localaws, "DeleteStack", **arguments)
    assert deploy_stack(cloudformation, **arguments).outputs["Value"] == "a"


class DeletedMeanwhile:
    """CloudFormation whose stack is being deleted when it is first asked, and then gone."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._asked = 0

    def describe_stacks(self, StackName: str) -> Any:
        self._asked += 1
        if self._asked == 1:
            return {"Stacks": [{"StackId": StackName, "StackName": StackName, "StackStatus": "DELETE_IN_PROGRESS"}]}
        return self._client.describe_stacks(StackName=StackName)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_deletion_that_is_under_way_is_waited_for(localaws: LocalAws) -> None:
    client = DeletedMeanwhile(localaws.client("cloudformation"))
    assert deploy_stack(client, "being-deleted", {"Value": "a"}, template_body=topic("being-deleted")).changed


@pytest.fixture
def failed_rollback(localaws: LocalAws, code: Any, request: pytest.FixtureRequest) -> str:
    """A stack in UPDATE_ROLLBACK_FAILED: its update failed when the old code of its function was already deleted."""
    name = f"stuck-{request.node.name}"[:60].rstrip("_").replace("_", "-").replace("[", "-").rstrip("]")
    cloudformation = localaws.client("cloudformation")
    code("v1.zip")
    code("v2.zip")
    deploy_stack(cloudformation, name, {}, template_body=function(name, "v1.zip"))
    code("v1.zip", there=False)
    with pytest.raises(StackFailed, match=f"{name} is UPDATE_ROLLBACK_FAILED"):
        deploy_stack(cloudformation, name, {}, template_body=function(name, "v2.zip", **FAILS))
    return name


def test_no_update_is_taken_after_a_failed_rollback(localaws: LocalAws, failed_rollback: str) -> None:
    cloudformation, body = localaws.client("cloudformation"), function(failed_rollback, "v2.zip")
    said = r"\(ValidationError\).*Stack:arn:aws:cloudformation:.* is in UPDATE_ROLLBACK_FAILED state and can not be updated"
    with pytest.raises(ClientError, match=said):
        cloudformation.update_stack(StackName=failed_rollback, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    with pytest.raises(ClientError, match=said):
        cloudformation.create_change_set(
            StackName=failed_rollback, ChangeSetName="x", TemplateBody=body, Capabilities=["CAPABILITY_IAM"]
        )


def test_a_failed_rollback_is_finished_by_deploying_again(localaws: LocalAws, failed_rollback: str, code: Any) -> None:
    code("v1.zip")
    lines: list[str] = []
    body = function(failed_rollback, "v2.zip")
    assert deploy_stack(
        localaws.client("cloudformation"), failed_rollback, {}, template_body=body, on_progress=lines.append
    ).changed
    assert any("UPDATE_ROLLBACK_COMPLETE" in line for line in lines)
    assert status(localaws, failed_rollback) == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_again_says_what_to_do(localaws: LocalAws, failed_rollback: str) -> None:
    cloudformation, body = localaws.client("cloudformation"), function(failed_rollback, "v2.zip")
    with pytest.raises(
        StackFailed, match=r"Function \(AWS::Lambda::Function\).*mend what stands in the way.*--resourc"
    ):
        deploy_stack(cloudformation, failed_rollback, {}, template_body=body)
    with pytest.raises(ClientError, match="not in UPDATE_FAILED state"):
        cloudformation.continue_update_rollback(StackName=failed_rollback, ResourcesToSkip=["Role"])
    cloudformation.continue_update_rollback(StackName=failed_rollback, ResourcesToSkip=["Function"])
    assert deploy_stack(cloudformation, failed_rollback, {}, template_body=body).changed


def test_a_deployer_killed_while_it_rolls_back_again_is_run_again(
    localaws: LocalAws, failed_rollback: str, code: Any
) -> None:
    code("v1.zip")
    arguments = {"name": failed_rollback, "parameters": {}, "template_body": function(failed_rollback, "v2.zip")}
    deploy_and_die(localaws, "ContinueUpdateRollback", **arguments)
    deploy_stack(localaws.client("cloudformation"), **arguments)
    assert status(localaws, failed_rollback) == "UPDATE_COMPLETE"


def test_only_a_failed_rollback_is_continued(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    deploy_stack(cloudformation, "fine", {"Value": "a"}, template_body=topic("fine"))
    with pytest.raises(ClientError, match=r"ValidationError.*is in CREATE_COMPLETE state"):
        cloudformation.continue_update_rollback(StackName="fine")


@pytest.fixture
def own_localaws(tmp_path: Path) -> Iterator[LocalAws]:
    """A local AWS that may be killed."""
    server = LocalAws(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("after_s", [0.01, 0.05, 0.15, 0.4, 0.8])
def test_local_aws_killed_in_mid_deploy_is_deployed_to_again(own_localaws: LocalAws, after_s: float) -> None:
    settings = Settings(project="mid-deploy", account_id="123456789012", region="us-east-1")
    clients = unretried(own_localaws)
    clients("cloudformation").describe_stacks()  # the first request to a service is slow

    def deploy() -> None:
        for name in STACKS:
            project.deploy(clients, settings, name)

    stopped_by: list[Exception] = []

    def attempt() -> None:
        try:
            deploy()
        except Exception as error:
            stopped_by.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    time.sleep(after_s)
    own_localaws.kill()
    thread.join(30)
    assert all(isinstance(error, BotoCoreError) for error in stopped_by), stopped_by
    own_localaws.start()
    deploy()
    for name in STACKS:
        assert status(own_localaws, settings.stack(name)) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    deploy()
    deleted = project.delete(clients, settings, with_data=True, with_access=True)
    assert deleted == ["ml", "features", "data", "access"]


def unretried(localaws: LocalAws) -> Any:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = localaws.client(
                service, config=Config(retries={"total_max_attempts": 1}, connect_timeout=5)
            )
        return made[service]

    return client
