"""The endpoint stack on local AWS: its model starts without a network, and a switch of the mode makes a new endpoint."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from include.deploy import project
from include.deploy.release import stack_template
from include.settings import Settings
from tests.localaws.conftest import LocalAws
from tests.localaws.sagemaker_requests import tar_gz, wait_until

SETTINGS = Settings(project="fff", account_id="123456789012", region="us-east-1")
STACK = SETTINGS.stack("endpoint")
STACK_ROLE = "arn:aws:iam::123456789012:role/fff-endpoint-stack"
MODEL_KEY = "models/version=m1/model.tar.gz"
SCRIPT = """
def model_fn(model_dir):
    return 1
def transform_fn(model, data, content_type, accept):
    import socket
    try:
        socket.create_connection(('127.0.0.1', 1), 5)
    except OSError as error:
        return '{"error": "%s"}' % error.strerror, 'application/json'
"""
PARAMETERS = {
    "Project": "fff",
    "ModelRoleArn": SETTINGS.model_role_arn,
    "Image": SETTINGS.xgboost_image,
    "ModelDataUrl": f"s3://{SETTINGS.bucket}/{MODEL_KEY}",
    "ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/fff-vo2max/1",
    "ModelVersion": "m1",
    "DatasetVersion": "d1",
    "ApprovedAt": "2026-11-20T08:30:00Z",
    "Revision": "aaaaaaaaaaaa",
}


@pytest.fixture(scope="module")
def aws(localaws: LocalAws) -> Iterator[LocalAws]:
    """With the stacks that hold the roles: the endpoint stack's own, and the model's."""
    for name in ("access", "data", "features", "ml"):
        project.deploy(localaws.client, SETTINGS, name)
    project.release(localaws.client, SETTINGS)
    project.deploy(localaws.client, SETTINGS, "serving")
    archive = tar_gz({"code/inference.py": SCRIPT})
    localaws.client("s3").put_object(Bucket=SETTINGS.bucket, Key=MODEL_KEY, Body=archive)
    yield localaws


def deploy(aws: LocalAws, **changes: str) -> dict[str, str]:
    """Create or update the stack by its own role and wait; returns its outputs."""
    exists, stack = try_to_deploy(aws, **changes)
    assert stack["StackStatus"] == ("UPDATE_COMPLETE" if exists else "CREATE_COMPLETE")
    return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}


def try_to_deploy(aws: LocalAws, **changes: str) -> tuple[bool, dict[str, Any]]:
    """Whether the stack was there before, and what became of it."""
    cloudformation = aws.client("cloudformation")
    exists = any(it["StackName"] == STACK for it in cloudformation.describe_stacks()["Stacks"])
    act = cloudformation.update_stack if exists else cloudformation.create_stack
    given = PARAMETERS | changes
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    act(StackName=STACK, TemplateBody=stack_template("endpoint"), Parameters=parameters, RoleARN=STACK_ROLE)

    def ended() -> Any:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        return stack if not stack["StackStatus"].endswith("IN_PROGRESS") else None

    return exists, wait_until(ended, 60)


def endpoints(aws: LocalAws) -> list[str]:
    return [it["EndpointName"] for it in aws.client("sagemaker").list_endpoints()["Endpoints"]]


def reach(aws: LocalAws, endpoint: str) -> str:
    """What a connection attempt of the model ended with."""
    runtime = aws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=b"{}")
    return str(json.loads(answer["Body"].read())["error"])


def served(aws: LocalAws) -> dict[str, str]:
    value = aws.client("ssm").get_parameter(Name="/fff/serving")["Parameter"]["Value"]
    return dict(json.loads(value))


def test_a_switch_of_the_mode_makes_a_new_endpoint_and_takes_the_old_away(aws: LocalAws) -> None:
    assert deploy(aws)["EndpointName"] == "fff-vo2max"
    isolated = aws.client("sagemaker").describe_model(ModelName="fff-vo2max-aaaaaaaaaaaa")["EnableNetworkIsolation"]
    assert isolated is True
    assert reach(aws, "fff-vo2max") in ("Network is unreachable", "Connection refused")  # by what this machine permits
    assert served(aws)["endpoint_name"] == "fff-vo2max"

    outputs = deploy(aws, EndpointMode="serverless", Revision="bbbbbbbbbbbb")

    assert outputs["EndpointName"] == "fff-vo2max-serverless"
    assert endpoints(aws) == ["fff-vo2max-serverless"]
    assert reach(aws, "fff-vo2max-serverless") == "Connection refused"
    assert served(aws)["endpoint_name"] == "fff-vo2max-serverless"

    assert deploy(aws, Revision="cccccccccccc")["EndpointName"] == "fff-vo2max"
    assert endpoints(aws) == ["fff-vo2max"]


def as_tasks(aws: LocalAws, service: str) -> Any:
    """A client with the credentials that local AWS gives a container of MWAA."""
    with urllib.request.urlopen(f"{aws.url}/_localaws/credentials/airflow-env.amazonaws.com/fff-tasks") as answer:
        given = json.loads(answer.read())
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=aws.url,
        region_name=SETTINGS.region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )


def test_the_role_of_the_tasks_reads_which_resource_failed_and_why(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of an update that was rolled back since the task began to wait."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))  # before the first import of it
    from plugins.operators.packages import EndpointFailed, endpoint_serves

    began = datetime.now(UTC)
    missing = f"s3://{SETTINGS.bucket}/models/version=m2/model.tar.gz"
    _, stack = try_to_deploy(aws, Revision="dddddddddddd", ModelDataUrl=missing)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["LastUpdatedTime"] >= began, "as AWS says also of an update that failed"
    cause = r"stack fff-endpoint is UPDATE_ROLLBACK_COMPLETE: Model \(AWS::SageMaker::Model\): .*model\.tar\.gz"
    with pytest.raises(EndpointFailed, match=cause):
        endpoint_serves(as_tasks(aws, "cloudformation"), SETTINGS, "the package of m2", began)


def test_every_way_to_serve_installs_the_script_without_an_index() -> None:
    assert 'PIP_NO_BUILD_ISOLATION: "0"' in stack_template("endpoint")
