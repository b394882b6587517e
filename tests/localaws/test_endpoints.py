"""Endpoints against boto3: real artifacts, blue/green, errors of the model and of the caller."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import (
    BUCKET,
    FAST,
    IMAGE,
    ROLE,
    log_lines,
    make_bucket,
    need_mount_namespaces,
    need_network_namespaces,
    tar_gz,
    wait_until,
)

SCRIPT = """
import json, os

def model_fn(model_dir):
    print('loading from', model_dir, flush=True)
    return float(open(os.path.join(model_dir, 'factor')).read())

def input_fn(data, content_type):
    values = json.loads(data)
    if values == 'die':
        os._exit(3)
    if not isinstance(values, list):
        raise ValueError('instances must be a list')
    return values

def predict_fn(values, factor):
    return {'values': [factor * value for value in values], 'pid': os.getpid()}

def output_fn(prediction, accept):
    print('answering', flush=True)
    return json.dumps(prediction), 'application/json'
"""
ECHO = """
def model_fn(model_dir):
    return 1
def transform_fn(model, data, content_type, accept):
    if data == b'connect':
        import socket
        try:
            socket.create_connection(('127.0.0.1', 1), 5)
        except OSError as error:
            return error.strerror, accept
    return data.decode() if content_type == 'text/plain' else (data, 'application/json')
"""


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    s3 = make_bucket(localaws)
    for name, factor in (("double", "2"), ("triple", "3")):
        s3.put_object(Bucket=BUCKET, Key=f"{name}.tar.gz", Body=tar_gz({"factor": factor, "code/inference.py": SCRIPT}))
    broken = {"factor": "2", "code/inference.py": "raise RuntimeError('no such booster')"}
    s3.put_object(Bucket=BUCKET, Key="broken.tar.gz", Body=tar_gz(broken))
    s3.put_object(Bucket=BUCKET, Key="echo.tar.gz", Body=tar_gz({"code/inference.py": ECHO}))
    client = localaws.client("sagemaker")
    for name in ("double", "triple", "broken"):
        make_model(client, name)
        variant = {"VariantName": "AllTraffic", "ModelName": name}
        instance = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{**variant, **instance}])
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    client.create_endpoint_config(
        EndpointConfigName="serverless",
        ProductionVariants=[{**variant, "ModelName": "double", "ServerlessConfig": serverless}],
    )
    yield client


def make_model(
    client: Any, name: str, archive: str = "", environment: dict[str, str] | None = None, **more: Any
) -> None:
    script = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {
        "Image": IMAGE,
        "ModelDataUrl": f"s3://{BUCKET}/{archive or name}.tar.gz",
        "Environment": script | (environment or {}),
    }
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, **more)


def make_config(client: Any, name: str) -> None:
    variant = {"VariantName": "A", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def start(client: Any, name: str, config: str) -> None:
    client.create_endpoint(EndpointName=name, EndpointConfigName=config)
    client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=FAST)


def ask(localaws: Any, name: str, values: Any, **more: Any) -> Any:
    client = localaws.client("sagemaker-runtime")
    response = client.invoke_endpoint(
        EndpointName=name, ContentType="application/json", Body=json.dumps(values), **more
    )
    return json.loads(response["Body"].read())


@pytest.mark.parametrize("config", ["double", "serverless"])
def test_an_endpoint_answers_from_its_artifact_and_is_gone_after_delete(
    localaws: Any, sagemaker: Any, config: str
) -> None:
    name = f"answers-{config}"
    start(sagemaker, name, config)
    described = sagemaker.describe_endpoint(EndpointName=name)
    assert described["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == IMAGE

    answer = ask(
        localaws, name, [1, 2], Accept="application/json", CustomAttributes="trace=1", TargetVariant="AllTraffic"
    )

    assert answer["values"] == [2.0, 4.0]
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=FAST)
    wait_until(lambda: not psutil.pid_exists(answer["pid"]))
    with pytest.raises(ClientError) as error:
        ask(localaws, name, [1])
    assert error.value.response["Error"]["Code"] == "ValidationError"


def test_what_the_script_prints_is_in_the_endpoint_s_log(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    start(sagemaker, "logged", "double")
    ask(localaws, "logged", [1])

    lines = wait_until(lambda: (it := log_lines(localaws, "/aws/sagemaker/Endpoints/logged", "AllTraffic/")) and it)

    assert "loading from /opt/ml/model" in lines


UNHEALTHY = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


def failure_reason(client: Any, name: str) -> str:
    """The FailureReason of an endpoint that is expected to fail."""
    described = wait_until(
        lambda: (it := client.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Failed" and it
    )
    return str(described["FailureReason"])


def test_a_model_that_does_not_load_fails_and_its_log_says_why(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_endpoint(EndpointName="fails", EndpointConfigName="broken")

    assert failure_reason(sagemaker, "fails") == UNHEALTHY.format("AllTraffic")
    lines = log_lines(localaws, "/aws/sagemaker/Endpoints/fails", "AllTraffic/")
    assert any("no such booster" in line for line in lines)


@pytest.mark.parametrize("value", [None, "1", "true"])
def test_an_isolated_model_cannot_install_its_script_from_an_index(
    localaws: Any, sagemaker: Any, value: str | None
) -> None:
    name = f"isolated-{value}".lower()
    environment = {} if value is None else {"PIP_NO_BUILD_ISOLATION": value}
    make_model(sagemaker, name, "echo", environment, EnableNetworkIsolation=True)
    make_config(sagemaker, name)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    assert failure_reason(sagemaker, name) == UNHEALTHY.format("A")
    lines = log_lines(localaws, f"/aws/sagemaker/Endpoints/{name}", "A/")
    assert any("InstallModuleError" in line for line in lines)
    assert any("pip install ." in line for line in lines)


def test_an_isolated_model_that_builds_with_the_image_serves_without_a_network(localaws: Any, sagemaker: Any) -> None:
    need_network_namespaces()
    make_model(sagemaker, "offline", "echo", {"PIP_NO_BUILD_ISOLATION": "0"}, EnableNetworkIsolation=True)
    assert sagemaker.describe_model(ModelName="offline")["EnableNetworkIsolation"] is True
    make_config(sagemaker, "offline")
    start(sagemaker, "offline", "offline")
    make_model(sagemaker, "online", "echo")
    make_config(sagemaker, "online")
    start(sagemaker, "online", "online")

    assert reach(localaws, "offline") == "Network is unreachable"
    assert reach(localaws, "online") == "Connection refused"


def reach(localaws: Any, endpoint: str) -> str:
    """What a connection attempt of the model ended with."""
    runtime = localaws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/x", Accept="a/b", Body=b"connect")
    return str(answer["Body"].read().decode())


def test_text_alone_is_answered_as_html_and_a_pair_says_its_type(localaws: Any, sagemaker: Any) -> None:
    make_model(sagemaker, "types", "echo")
    make_config(sagemaker, "types")
    start(sagemaker, "types", "types")
    runtime = localaws.client("sagemaker-runtime")

    def content_type(given: str) -> str:
        answer = runtime.invoke_endpoint(EndpointName="types", ContentType=given, Accept="application/json", Body=b"{}")
        assert answer["Body"].read() == b"{}"
        return str(answer["ContentType"])

    assert content_type("text/plain") == "text/html; charset=utf-8"
    assert content_type("application/json") == "application/json"


def test_an_exception_of_the_handler_is_a_page_without_its_text(localaws: Any, sagemaker: Any) -> None:
    start(sagemaker, "raises", "double")

    with pytest.raises(ClientError) as error:
        ask(localaws, "raises", {"no": "list"})

    response = error.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert "<title>500 Internal Server Error</title>" in response["OriginalMessage"]
    assert "instances must be a list" not in str(response)
    lines = log_lines(localaws, "/aws/sagemaker/Endpoints/raises", "AllTraffic/")
    assert any("instances must be a list" in line for line in lines)


@pytest.mark.parametrize(("before", "after"), [("double", "serverless"), ("serverless", "double")])
def test_the_mode_of_an_endpoint_cannot_be_switched_in_place(sagemaker: Any, before: str, after: str) -> None:
    name = f"mode-{before}"
    start(sagemaker, name, before)

    with pytest.raises(ClientError, match="serverless endpoint is not supported") as error:
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=after)

    assert error.value.response["Error"]["Code"] == "ValidationException"
    described = sagemaker.describe_endpoint(EndpointName=name)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)


def test_a_model_without_its_artifact_is_refused(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match=r"Could not find model data at s3://sagemaker-tests/nowhere\.tar\.gz"):
        make_model(sagemaker, "nowhere")
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName="nowhere")


def test_a_dead_worker_is_started_again_once(localaws: Any, sagemaker: Any) -> None:
    start(sagemaker, "dies", "double")
    first = ask(localaws, "dies", [1])["pid"]
    os.kill(first, signal.SIGKILL)

    assert ask(localaws, "dies", [1])["pid"] != first

    with pytest.raises(ClientError, match="died while it answered"):
        ask(localaws, "dies", "die")
    assert ask(localaws, "dies", [5])["values"] == [10.0]


def test_an_update_swaps_models_and_a_failing_one_goes_back(localaws: Any, sagemaker: Any) -> None:
    start(sagemaker, "moves", "double")
    old = ask(localaws, "moves", [1])["pid"]

    sagemaker.update_endpoint(EndpointName="moves", EndpointConfigName="triple")
    assert ask(localaws, "moves", [1])["values"] in ([2.0], [3.0])
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="moves", WaiterConfig=FAST)
    assert ask(localaws, "moves", [1])["values"] == [3.0]
    wait_until(lambda: not psutil.pid_exists(old))

    sagemaker.update_endpoint(EndpointName="moves", EndpointConfigName="broken")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="moves", WaiterConfig=FAST)
    described = sagemaker.describe_endpoint(EndpointName="moves")
    assert described["EndpointConfigName"] == "triple"
    assert described["FailureReason"] == UNHEALTHY.format("AllTraffic")
    assert ask(localaws, "moves", [1])["values"] == [3.0]


def test_taken_names_are_refused(sagemaker: Any) -> None:
    start(sagemaker, "taken", "double")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint "):
        sagemaker.create_endpoint(EndpointName="taken", EndpointConfigName="double")
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        make_model(sagemaker, "double")
    variant = {
        "VariantName": "A",
        "ModelName": "double",
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    }
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        sagemaker.create_endpoint_config(EndpointConfigName="double", ProductionVariants=[variant])


def test_bad_requests_are_refused_by_name(localaws: Any, sagemaker: Any) -> None:
    start(sagemaker, "strict", "double")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.create_endpoint(EndpointName="other", EndpointConfigName="nowhere")
    variant = {"VariantName": "A", "ModelName": "double", "InstanceType": "ml.no.large", "InitialInstanceCount": 1}
    with pytest.raises(ClientError, match=r"ml\.no\.large"):
        sagemaker.create_endpoint_config(EndpointConfigName="bad", ProductionVariants=[variant])
    with pytest.raises(ClientError, match="exceeded max allowed: 6291456"):
        ask(localaws, "strict", "x" * (6 * 1024 * 1024))
    with pytest.raises(ClientError, match="Variant B was not found"):
        ask(localaws, "strict", [1], TargetVariant="B")


def test_a_hostile_archive_does_not_leave_its_folder(localaws: Any, sagemaker: Any) -> None:
    localaws.client("s3").put_object(Bucket=BUCKET, Key="hostile.tar.gz", Body=tar_gz({"../../escaped": "x"}))
    make_model(sagemaker, "hostile")
    make_config(sagemaker, "hostile")
    sagemaker.create_endpoint(EndpointName="hostile", EndpointConfigName="hostile")

    assert "OutsideDestinationError" in failure_reason(sagemaker, "hostile")
    assert not list(localaws.state.rglob("escaped"))
