"""Training jobs against boto3: entry point, network, artifacts, failures, stop, limits, shards."""

import json
import os
import signal
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import (
    BUCKET,
    CONNECT,
    channel,
    end_of_training,
    finish_training,
    log_lines,
    make_bucket,
    need_mount_namespaces,
    need_network_namespaces,
    training_request,
    wait_until,
)

REPORT = """
import json, os, sys
host = json.load(open('/opt/ml/input/config/resourceconfig.json'))['current_host']
report = {
    'argv': sys.argv[1:], 'train': sorted(os.listdir('/opt/ml/input/data/train')), 'environment': dict(os.environ),
    'resource': json.load(open('/opt/ml/input/config/resourceconfig.json')),
    'hyperparameters': json.load(open('/opt/ml/input/config/hyperparameters.json')),
    'data': json.load(open('/opt/ml/input/config/inputdataconfig.json')),
}
print('validation:crps=0.75;')
print('validation:crps=0.5;')
json.dump(report, open('/opt/ml/model/report-%s.json' % host, 'w'))
open('/opt/ml/output/data/plot.txt', 'w').write('plot')
"""


ALLOWED = {"PATH", "HOME", "LANG", "LC_CTYPE", "TMPDIR", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} | {
    "OMP_NUM_THREADS", "PWD", "OLDPWD", "SHLVL", "_",
    "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION",
}  # fmt: skip


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    s3 = make_bucket(localaws)
    for name in ("a", "b", "c"):
        s3.put_object(Bucket=BUCKET, Key=f"data/{name}.csv", Body=name.encode())
    s3.put_object(Bucket=BUCKET, Key="data/sub/d.csv", Body=b"d")
    yield localaws.client("sagemaker")


def artifact(localaws: Any, job: str, name: str = "model.tar.gz") -> dict[str, bytes]:
    body = localaws.client("s3").get_object(Bucket=BUCKET, Key=f"models/{job}/output/{name}")["Body"].read()
    with tarfile.open(fileobj=BytesIO(body)) as archive:
        return {it.name: archive.extractfile(it).read() for it in archive if it.isfile()}  # type: ignore[union-attr]


def test_a_training_container_finds_what_sagemaker_puts_there(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    request = training_request(
        "entrypoint",
        localaws,
        REPORT,
        HyperParameters={"max_depth": "3", "name": "x y"},
        channels=[channel("train", "data/")],
        Environment={"MINE": "1"},
    )
    request["AlgorithmSpecification"] |= {
        "ContainerArguments": ["--fast", "two words"],
        "MetricDefinitions": [{"Name": "validation:crps", "Regex": "validation:crps=([0-9.]+);"}],
    }
    created = sagemaker.create_training_job(**request)
    assert created["TrainingJobArn"].endswith(":training-job/entrypoint")

    done = finish_training(localaws, "entrypoint")

    assert done["TrainingJobStatus"] == done["SecondaryStatus"] == "Completed"
    report = json.loads(artifact(localaws, "entrypoint")["report-algo-1.json"])
    assert report["argv"] == ["--fast", "two words"]
    assert report["train"] == ["a.csv", "b.csv", "c.csv", "sub"]
    assert report["resource"]["current_host"] == "algo-1"
    assert report["hyperparameters"] == {"max_depth": "3", "name": "x y"}
    assert report["data"]["train"]["TrainingInputMode"] == "File"
    environment = report["environment"]
    assert environment["MINE"] == "1"
    assert environment["TRAINING_JOB_NAME"] == "entrypoint"
    assert environment["TRAINING_JOB_ARN"] == created["TrainingJobArn"]
    assert not [name for name in environment if name.startswith("SM_")], "only the toolkit of script mode sets these"
    assert artifact(localaws, "entrypoint", "output.tar.gz") == {"plot.txt": b"plot"}
    assert done["FinalMetricDataList"][0]["Value"] == 0.5
    steps = [it["Status"] for it in done["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert done["TrainingStartTime"] <= done["TrainingEndTime"]
    assert done["BillableTimeInSeconds"] >= 1
    assert "validation:crps=0.5;" in log_lines(localaws, "/aws/sagemaker/TrainingJobs", "entrypoint/algo-1-")


def test_script_mode_is_refused_in_one_line(localaws: Any, sagemaker: Any) -> None:
    request = training_request("script-mode", localaws, "pass")
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    request["HyperParameters"] = {"sagemaker_program": "train.py"}
    sagemaker.create_training_job(**request)

    reason = end_of_training(localaws, "script-mode")["FailureReason"]

    assert reason.startswith("ClientError: ")
    assert "ContainerEntrypoint" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("is_isolated", [True, False])
def test_an_isolated_training_job_has_no_network(localaws: Any, sagemaker: Any, is_isolated: bool) -> None:
    if is_isolated:
        need_network_namespaces()
    name = f"network-{is_isolated}".lower()
    script = CONNECT.format(port=localaws.port)
    sagemaker.create_training_job(
        **training_request(name, localaws, script, EnableNetworkIsolation=is_isolated, channels=[])
    )

    done = end_of_training(localaws, name)

    assert done["TrainingJobStatus"] == ("Failed" if is_isolated else "Completed")
    assert done["EnableNetworkIsolation"] is is_isolated
    lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", f"{name}/")
    assert any("Network is unreachable" in line for line in lines) is is_isolated


def test_a_job_inherits_nothing_of_the_server_s_environment(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    sagemaker.create_training_job(
        **training_request("no-secrets", localaws, REPORT, channels=[channel("train", "data/a")])
    )

    finish_training(localaws, "no-secrets")

    names = set(json.loads(artifact(localaws, "no-secrets")["report-algo-1.json"])["environment"])
    assert {"AWS_ENDPOINT_URL", "TRAINING_JOB_NAME"} <= names
    assert names.isdisjoint(os.environ.keys() - ALLOWED)


def test_without_a_failure_file_the_reason_is_the_exit_code_alone(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_training_job(**training_request("raises", localaws, "raise ValueError('no readings at all')"))

    done = end_of_training(localaws, "raises")

    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"] == "AlgorithmError: , exit code: 1"
    assert "ModelArtifacts" not in done or not done["ModelArtifacts"].get("S3ModelArtifacts")
    lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", "raises/")
    assert any("no readings at all" in line for line in lines)


def test_the_failure_file_is_the_reason(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    script = "open('/opt/ml/output/failure', 'w').write('one athlete is not enough'); raise SystemExit(2)"
    sagemaker.create_training_job(**training_request("failure-file", localaws, script))

    assert (
        end_of_training(localaws, "failure-file")["FailureReason"]
        == "AlgorithmError: one athlete is not enough, exit code: 2"
    )


def test_a_killed_process_fails_the_job(localaws: Any, sagemaker: Any) -> None:
    script = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"
    sagemaker.create_training_job(**training_request("killed", localaws, script))

    os.kill(pid_of(localaws, "killed"), signal.SIGKILL)

    done = end_of_training(localaws, "killed")
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"] == "AlgorithmError: , exit code: 137"
    lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", "killed/")
    assert any("killed by SIGKILL" in line for line in lines)


def pid_of(localaws: Any, job: str) -> int:
    def find() -> int:
        try:
            lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", f"{job}/")
        except ClientError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("pid ")), 0)

    return int(wait_until(find))


def test_stop_ends_the_process_and_keeps_its_model(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    script = (
        "import os, signal, sys, time\n"
        "def leave(*_):\n    open('/opt/ml/model/partial', 'w').write('so far'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\nprint('pid', os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    sagemaker.create_training_job(**training_request("stopped", localaws, script))
    pid = pid_of(localaws, "stopped")

    sagemaker.stop_training_job(TrainingJobName="stopped")

    done = finish_training(localaws, "stopped")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert artifact(localaws, "stopped") == {"partial": b"so far"}
    assert not psutil.pid_exists(pid)
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped")


def test_the_time_limit_stops_the_job(localaws: Any, sagemaker: Any) -> None:
    request = training_request(
        "too-long", localaws, "import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    sagemaker.create_training_job(**request)

    done = end_of_training(localaws, "too-long")

    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_two_instances_share_the_keys_of_a_sharded_channel(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10}
    channels = [channel("train", "data/", S3DataDistributionType="ShardedByS3Key"), channel("whole", "data/a")]
    sagemaker.create_training_job(
        **training_request("sharded", localaws, REPORT, channels=channels, ResourceConfig=cluster)
    )

    assert finish_training(localaws, "sharded")["TrainingJobStatus"] == "Completed"

    files = artifact(localaws, "sharded")
    reports = [json.loads(files[f"report-algo-{number}.json"]) for number in (1, 2)]
    assert [it["resource"]["current_host"] for it in reports] == ["algo-1", "algo-2"]
    assert all(it["resource"]["hosts"] == ["algo-1", "algo-2"] for it in reports)
    first, second = (set(it["train"]) for it in reports)
    assert first | second == {"a.csv", "b.csv", "c.csv", "sub"}
    assert not first & second


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": [channel("train", "nowhere/")]}, "No S3 objects found under S3 URL"),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/other:1",
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["true"],
                }
            },
            "sagemaker-xgboost only",
        ),
    ],
)
def test_what_cannot_start_is_a_client_error(
    localaws: Any, sagemaker: Any, changes: dict[str, Any], reason: str
) -> None:
    name = f"client-error-{abs(hash(reason)) % 10**6}"
    sagemaker.create_training_job(**training_request(name, localaws, REPORT, **changes))

    done = end_of_training(localaws, name)

    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("ClientError: ")
    assert reason in done["FailureReason"]


def test_refusals_carry_aws_s_codes(localaws: Any, sagemaker: Any) -> None:
    request = training_request("twice", localaws, "pass")
    sagemaker.create_training_job(**request)
    for changes, code, text in (
        ({}, "ResourceInUse", "must be unique"),
        ({"TrainingJobName": "no_underscore"}, "ValidationException", "regular expression pattern"),
        (
            {"TrainingJobName": "role", "RoleArn": "arn:aws:iam::123456789012:user/someone"},
            "ValidationException",
            "roleArn",
        ),
        (
            {"TrainingJobName": "uri", "OutputDataConfig": {"S3OutputPath": "https://nowhere"}},
            "ValidationException",
            "S3OutputPath",
        ),
        (
            {
                "TrainingJobName": "type",
                "ResourceConfig": {"InstanceType": "ml.x", "InstanceCount": 1, "VolumeSizeInGB": 1},
            },
            "ValidationException",
            "ml.x",
        ),
    ):
        with pytest.raises(ClientError) as error:
            sagemaker.create_training_job(**{**request, **changes})
        assert error.value.response["Error"]["Code"] == code
        assert text in error.value.response["Error"]["Message"]
    for action in (sagemaker.describe_training_job, sagemaker.stop_training_job):
        with pytest.raises(ClientError) as error:
            action(TrainingJobName="never")
        assert error.value.response["Error"] == {
            "Code": "ValidationException",
            "Message": "Requested resource not found.",
        }


def test_list_filters_and_pages(localaws: Any, sagemaker: Any) -> None:
    for number in range(3):
        sagemaker.create_training_job(**training_request(f"listed-{number}", localaws, "pass"))
    for number in range(3):
        finish_training(localaws, f"listed-{number}")

    first = sagemaker.list_training_jobs(NameContains="listed", MaxResults=2, SortBy="Name", SortOrder="Ascending")
    rest = sagemaker.list_training_jobs(
        NameContains="listed", NextToken=first["NextToken"], SortBy="Name", SortOrder="Ascending"
    )

    names = [it["TrainingJobName"] for page in (first, rest) for it in page["TrainingJobSummaries"]]
    assert names == ["listed-0", "listed-1", "listed-2"]
    assert sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Failed")["TrainingJobSummaries"] == []
    created = first["TrainingJobSummaries"][0]["CreationTime"]
    for bound, found in (("CreationTimeAfter", 3), ("CreationTimeBefore", 0)):
        page = sagemaker.list_training_jobs(NameContains="listed", **{bound: created - timedelta(seconds=60)})
        assert len(page["TrainingJobSummaries"]) == found
