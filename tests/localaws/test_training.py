"""Training jobs against boto3: script mode, artifacts, failures, stop, limits, shards."""

import json
import os
import signal
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import (
    BUCKET,
    channel,
    end_of_training,
    finish_training,
    log_lines,
    make_bucket,
    tar_gz,
    training_request,
    wait_until,
)

REPORT = """
import json, os, sys
keys = ('SM_MODEL_DIR', 'SM_CHANNEL_TRAIN', 'SM_CURRENT_HOST', 'SM_HOSTS', 'SM_HPS', 'SM_NUM_CPUS', 'SM_OUTPUT_DATA_DIR')
report = {
    'argv': sys.argv[1:], 'cwd': os.getcwd(), 'train': sorted(os.listdir(os.environ['SM_CHANNEL_TRAIN'])),
    'env': {k: os.environ[k] for k in keys}, 'names': sorted(os.environ),
    'resource': json.load(open('/opt/ml/input/config/resourceconfig.json')),
    'hyperparameters': json.load(open('/opt/ml/input/config/hyperparameters.json')),
    'data': json.load(open('/opt/ml/input/config/inputdataconfig.json')),
}
print('validation:crps=0.75;')
print('validation:crps=0.5;')
json.dump(report, open('/opt/ml/model/report-%s.json' % os.environ['SM_CURRENT_HOST'], 'w'))
open(os.path.join(os.environ['SM_OUTPUT_DATA_DIR'], 'plot.txt'), 'w').write('plot')
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


def test_script_mode_gives_what_the_container_gives(
    localaws: Any, sagemaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"max_depth": "3", "name": '"x y"', "plain": "text", "k": "1"}
    definitions = [{"Name": "validation:crps", "Regex": "validation:crps=([0-9.]+);"}]
    request = training_request(
        "script-mode",
        localaws,
        REPORT,
        hyperparameters=given,
        InputDataConfig=[channel("train", "data/")],
        Environment={"MINE": "1"},
    )
    request["AlgorithmSpecification"]["MetricDefinitions"] = definitions
    created = sagemaker.create_training_job(**request)
    assert created["TrainingJobArn"].endswith(":training-job/script-mode")

    done = finish_training(localaws, "script-mode")

    assert done["TrainingJobStatus"] == done["SecondaryStatus"] == "Completed"
    report = json.loads(artifact(localaws, "script-mode")["report-algo-1.json"])
    assert report["argv"] == ["-k", "1", "--max_depth", "3", "--name", "x y", "--plain", "text"]
    assert report["cwd"] == "/opt/ml/code"
    assert report["train"] == ["a.csv", "b.csv", "c.csv", "sub"]
    assert report["env"]["SM_MODEL_DIR"] == "/opt/ml/model"
    assert report["env"]["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert report["env"]["SM_HOSTS"] == '["algo-1"]'
    assert json.loads(report["env"]["SM_HPS"]) == {"k": 1, "max_depth": 3, "name": "x y", "plain": "text"}
    assert report["resource"]["current_host"] == "algo-1"
    assert report["hyperparameters"]["max_depth"] == "3"
    assert report["data"]["train"]["TrainingInputMode"] == "File"
    assert "MINE" in report["names"]
    assert artifact(localaws, "script-mode", "output.tar.gz") == {"plot.txt": b"plot"}
    assert done["FinalMetricDataList"][0]["Value"] == 0.5
    steps = [it["Status"] for it in done["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert done["TrainingStartTime"] <= done["TrainingEndTime"]
    assert done["BillableTimeInSeconds"] >= 1
    assert "validation:crps=0.5;" in log_lines(localaws, "/aws/sagemaker/TrainingJobs", "script-mode/algo-1-")


@pytest.mark.parametrize(
    ("program", "status"), [("package.jobs.report", "Completed"), ("package/jobs/report.py", "Failed")]
)
def test_a_program_within_a_package_is_named_with_dots(
    localaws: Any, sagemaker: Any, program: str, status: str
) -> None:
    """The container runs `python -m`, which knows no slashes."""
    name = f"within-{len(program)}"
    request = training_request(name, localaws, "", hyperparameters={"sagemaker_program": program})
    files = {"package/__init__.py": "", "package/jobs/__init__.py": "", "package/jobs/report.py": "print(__package__)"}
    localaws.client("s3").put_object(Bucket=BUCKET, Key=f"code/{name}/sourcedir.tar.gz", Body=tar_gz(files))
    sagemaker.create_training_job(**request)

    assert end_of_training(localaws, name)["TrainingJobStatus"] == status

    lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", f"{name}/")
    assert ("package.jobs" in lines) is (status == "Completed")


def test_a_job_inherits_nothing_of_the_server_s_environment(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_training_job(
        **training_request("no-secrets", localaws, REPORT, InputDataConfig=[channel("train", "data/a")])
    )

    finish_training(localaws, "no-secrets")

    names = set(json.loads(artifact(localaws, "no-secrets")["report-algo-1.json"])["names"])
    assert {"AWS_ENDPOINT_URL", "TRAINING_JOB_NAME"} <= names
    assert names.isdisjoint(os.environ.keys() - ALLOWED)


def test_an_unhandled_exception_is_an_algorithm_error(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_training_job(**training_request("raises", localaws, "raise ValueError('no readings at all')"))

    done = end_of_training(localaws, "raises")

    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("AlgorithmError: ")
    assert "no readings at all" in done["FailureReason"]
    assert done["FailureReason"].endswith("exit code: 1")
    assert "ModelArtifacts" not in done or not done["ModelArtifacts"].get("S3ModelArtifacts")


def test_the_failure_file_is_the_reason(localaws: Any, sagemaker: Any) -> None:
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
    assert "killed by SIGKILL" in done["FailureReason"]
    assert done["FailureReason"].endswith("exit code: 137")


def pid_of(localaws: Any, job: str) -> int:
    def find() -> int:
        try:
            lines = log_lines(localaws, "/aws/sagemaker/TrainingJobs", f"{job}/")
        except ClientError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("pid ")), 0)

    return int(wait_until(find))


def test_stop_ends_the_process_and_keeps_its_model(localaws: Any, sagemaker: Any) -> None:
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
    assert not os.path.exists(f"/proc/{pid}")
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
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10}
    channels = [channel("train", "data/", S3DataDistributionType="ShardedByS3Key"), channel("whole", "data/a")]
    sagemaker.create_training_job(
        **training_request("sharded", localaws, REPORT, InputDataConfig=channels, ResourceConfig=cluster)
    )

    assert finish_training(localaws, "sharded")["TrainingJobStatus"] == "Completed"

    files = artifact(localaws, "sharded")
    reports = [json.loads(files[f"report-algo-{number}.json"]) for number in (1, 2)]
    assert [it["env"]["SM_CURRENT_HOST"] for it in reports] == ["algo-1", "algo-2"]
    assert all(it["resource"]["hosts"] == ["algo-1", "algo-2"] for it in reports)
    first, second = (set(it["train"]) for it in reports)
    assert first | second == {"a.csv", "b.csv", "c.csv", "sub"}
    assert not first & second


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"InputDataConfig": [channel("train", "nowhere/")]}, "No S3 objects found under S3 URL"),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/other:1",
                    "TrainingInputMode": "File",
                }
            },
            "sagemaker-xgboost only",
        ),
        ({"hyperparameters": {"sagemaker_submit_directory": f"s3://{BUCKET}/nowhere.tar.gz"}}, "nowhere.tar.gz"),
        ({"hyperparameters": {"sagemaker_submit_directory": f"s3://{BUCKET}/data/a.csv"}}, "not a usable .tar.gz"),
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


def test_a_sourcedir_with_a_leaving_member_is_refused(localaws: Any, sagemaker: Any) -> None:
    request = training_request("hostile", localaws, REPORT)
    localaws.client("s3").put_object(Bucket=BUCKET, Key="code/hostile/sourcedir.tar.gz", Body=tar_gz({"../../x": "y"}))
    sagemaker.create_training_job(**request)

    assert "OutsideDestinationError" in end_of_training(localaws, "hostile")["FailureReason"]


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
