"""Endpoints against boto3: real artifacts, blue/green, errors of the model and of the caller."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import BUCKET, FAST, IMAGE, ROLE, make_bucket, tar_gz, wait_until

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
    return json.dumps(prediction)
"""


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    s3 = make_bucket(localaws)
    for name, factor in (("double", "2"), ("triple", "3")):
        s3.put_object(Bucket=BUCKET, Key=f"{name}.tar.gz", Body=tar_gz({"factor": factor, "code/inference.py": SCRIPT}))
    broken = {"factor": "2", "code/inference.py": "raise RuntimeError('no such booster')"}
    s3.put_object(Bucket=BUCKET, Key="broken.tar.gz", Body=tar_gz(broken))
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


def make_model(client: Any, name: str) -> None:
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}.tar.gz", "Environment": environment}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)


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
    wait_until(lambda: not os.path.exists(f"/proc/{answer['pid']}"))
    with pytest.raises(ClientError) as error:
        ask(localaws, name, [1])
    assert error.value.response["Error"]["Code"] == "ValidationError"


def test_what_the_script_prints_is_in_the_endpoint_s_log(localaws: Any, sagemaker: Any) -> None:
    from sagemaker_requests import log_lines

    start(sagemaker, "logged", "double")
    ask(localaws, "logged", [1])

    lines = wait_until(lambda: (it := log_lines(localaws, "/aws/sagemaker/Endpoints/logged", "AllTraffic/")) and it)

    assert "loading from /opt/ml/model" in lines


def test_a_model_that_does_not_load_fails_with_its_reason(sagemaker: Any) -> None:
    sagemaker.create_endpoint(EndpointName="fails", EndpointConfigName="broken")

    described = wait_until(
        lambda: (it := sagemaker.describe_endpoint(EndpointName="fails"))["EndpointStatus"] == "Failed" and it
    )

    assert "no such booster" in described["FailureReason"]
    assert "AllTraffic" in described["FailureReason"]


def test_an_exception_of_the_handler_is_a_model_error(localaws: Any, sagemaker: Any) -> None:
    start(sagemaker, "raises", "double")

    with pytest.raises(ClientError) as error:
        ask(localaws, "raises", {"no": "list"})

    response = error.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert "instances must be a list" in response["OriginalMessage"]


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
    wait_until(lambda: not os.path.exists(f"/proc/{old}"))

    sagemaker.update_endpoint(EndpointName="moves", EndpointConfigName="broken")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="moves", WaiterConfig=FAST)
    described = sagemaker.describe_endpoint(EndpointName="moves")
    assert described["EndpointConfigName"] == "triple"
    assert "no such booster" in described["FailureReason"]
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
    variant = {"VariantName": "A", "ModelName": "hostile", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="hostile", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="hostile", EndpointConfigName="hostile")

    described = wait_until(
        lambda: (it := sagemaker.describe_endpoint(EndpointName="hostile"))["EndpointStatus"] == "Failed" and it
    )

    assert "OutsideDestinationError" in described["FailureReason"]
    assert not list(localaws.state.rglob("escaped"))
