"""Requests and small scripts that the SageMaker tests send."""

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest

from infra.localaws.sagemaker import opt_ml
from tests.localaws.conftest import role_arn_of

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ROLE_NAME = "garmin-forecast-sagemaker"
ROLE = role_arn_of(ROLE_NAME)
BUCKET = "sagemaker-tests"
FAST = {"Delay": 1, "MaxAttempts": 60}
CONNECT = "import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()"
"""A script that reaches local AWS over TCP, or fails."""


def need_network_namespaces() -> None:
    """Skip where this machine denies them: isolation is then said to be missing, and not enforced."""
    if not opt_ml.can_isolate():
        pytest.skip(opt_ml.NETWORK_SHARED)


def need_mount_namespaces() -> None:
    """Skip where this machine denies them: a path below /opt/ml that is written into a script is then not found."""
    if not opt_ml.can_mount():
        pytest.skip(opt_ml.MOUNTS_DENIED)


def tar_gz(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def make_bucket(localaws: Any) -> Any:
    """The bucket of the requests below, and the role under which their jobs and models act."""
    localaws.make_role(ROLE_NAME)
    s3 = localaws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


def training_request(name: str, localaws: Any, script: str, **changes: Any) -> dict[str, Any]:
    """A training job that runs `script` as train.py of a channel `code`; the code is uploaded first."""
    localaws.client("s3").put_object(Bucket=BUCKET, Key=f"code/{name}/train.py", Body=script.encode())
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-u", "/opt/ml/input/data/code/train.py"],
        },
        "InputDataConfig": [channel("code", f"code/{name}/"), *changes.pop("channels", [])],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def channel(name: str, prefix: str, **source: str) -> dict[str, Any]:
    data = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}", **source}
    return {"ChannelName": name, "DataSource": {"S3DataSource": data}}


def processing_request(name: str, code: str, **changes: Any) -> dict[str, Any]:
    """A processing job that runs `code` by `python3 -c`."""
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", code]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def processing_input(name: str, prefix: str, folder: str, **more: str) -> dict[str, Any]:
    source = {
        "S3Uri": f"s3://{BUCKET}/{prefix}",
        "LocalPath": f"/opt/ml/processing/{folder}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        **more,
    }
    return {"InputName": name, "S3Input": source}


def processing_output(name: str, folder: str, prefix: str) -> dict[str, Any]:
    target = {
        "S3Uri": f"s3://{BUCKET}/{prefix}",
        "LocalPath": f"/opt/ml/processing/{folder}",
        "S3UploadMode": "EndOfJob",
    }
    return {"OutputName": name, "S3Output": target}


def finish_training(localaws: Any, name: str) -> dict[str, Any]:
    client = localaws.client("sagemaker")
    client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, WaiterConfig=FAST)
    description: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
    return description


def wait_until(condition: Any, seconds: float = 20) -> Any:
    """The first true value of `condition()`."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError("the condition did not come true")


def end_of_training(localaws: Any, name: str) -> dict[str, Any]:
    """The description once the job is over, however it ended."""
    client = localaws.client("sagemaker")

    def over() -> Any:
        description = client.describe_training_job(TrainingJobName=name)
        return description if description["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    result: dict[str, Any] = wait_until(over)
    return result


def end_of_processing(localaws: Any, name: str) -> dict[str, Any]:
    client = localaws.client("sagemaker")

    def over() -> Any:
        description = client.describe_processing_job(ProcessingJobName=name)
        return description if description["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    result: dict[str, Any] = wait_until(over)
    return result


def log_lines(localaws: Any, group: str, prefix: str) -> list[str]:
    """What a container wrote; not what local AWS says there of a machine without mount namespaces."""
    logs = localaws.client("logs")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        if event["message"] != opt_ml.MOUNTS_DENIED
    ]
