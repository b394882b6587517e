"""What a user would miss after local AWS was killed: endpoints answer again, interrupted jobs say so."""

import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.localaws.conftest import LocalAws
from tests.localaws.sagemaker_requests import (
    BUCKET,
    FAST,
    IMAGE,
    ROLE,
    end_of_processing,
    end_of_training,
    log_lines,
    make_bucket,
    need_mount_namespaces,
    processing_request,
    tar_gz,
    training_request,
    wait_until,
)

SCRIPT = (
    "def model_fn(d):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n    return data, accept\n"
)
SLEEP = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(100)"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("restart"))
    server.start()
    yield server
    server.stop()


def start_endpoint(server: Any) -> None:
    client = server.client("sagemaker")
    server.client("s3").put_object(Bucket=BUCKET, Key="m.tar.gz", Body=tar_gz({"code/inference.py": SCRIPT}))
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz", "Environment": environment}
    client.create_model(ModelName="kept", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "A", "ModelName": "kept", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    client.create_endpoint_config(EndpointConfigName="kept", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="kept", EndpointConfigName="kept")
    client.get_waiter("endpoint_in_service").wait(EndpointName="kept", WaiterConfig=FAST)


def echo(server: Any) -> bytes:
    runtime = server.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName="kept", ContentType="text/plain", Accept="text/plain", Body=b"hello")
    body: bytes = answer["Body"].read()
    return body


def pid_in_log(server: Any, group: str) -> int:
    def find() -> int:
        try:
            return next((int(line.split()[1]) for line in log_lines(server, group, "interrupted/")), 0)
        except server.client("logs").exceptions.ResourceNotFoundException:
            return 0

    return int(wait_until(find))


def test_a_kill_of_local_aws_loses_no_endpoint_and_hides_no_job(server: Any) -> None:
    need_mount_namespaces()  # without them a job outlives a killed local AWS
    make_bucket(server)
    start_endpoint(server)
    client = server.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="kept")
    client.create_training_job(**training_request("interrupted", server, SLEEP))
    client.create_processing_job(**processing_request("interrupted", SLEEP))
    groups = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs")
    pids = [pid_in_log(server, group) for group in groups]
    time.sleep(1.0)  # the state is written a moment after the change

    server.kill()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    server.start()

    assert echo(server) == b"hello"
    for description in (end_of_training(server, "interrupted"), end_of_processing(server, "interrupted")):
        assert description["FailureReason"] == "ClientError: local AWS was restarted while the job ran"
    client = server.client("sagemaker")
    assert client.describe_model_package_group(ModelPackageGroupName="kept")["ModelPackageGroupStatus"] == "Completed"


def test_a_stop_of_local_aws_ends_every_child(server: Any) -> None:
    make_bucket(server)
    server.client("sagemaker").create_training_job(**training_request("interrupted", server, SLEEP))
    pid = pid_in_log(server, "/aws/sagemaker/TrainingJobs")

    server.stop()

    wait_until(lambda: not psutil.pid_exists(pid), seconds=5)
