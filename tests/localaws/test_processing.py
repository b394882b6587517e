"""Processing jobs against boto3: inputs, outputs, messages, failures, stop, limits, shards."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import (
    BUCKET,
    CONNECT,
    FAST,
    end_of_processing,
    log_lines,
    make_bucket,
    need_mount_namespaces,
    need_network_namespaces,
    processing_input,
    processing_output,
    processing_request,
    wait_until,
)

COPY = """
import json, os, sys
out = '/opt/ml/processing/output/copied/'
os.makedirs(out + 'deep', exist_ok=True)
for name in os.listdir('/opt/ml/processing/input/rows'):
    open(out + 'deep/' + name, 'w').write(open('/opt/ml/processing/input/rows/' + name).read() + sys.argv[1] + os.environ['MARK'])
config = json.load(open('/opt/ml/config/processingjobconfig.json'))
host = json.load(open('/opt/ml/config/resourceconfig.json'))['current_host']
open(out + 'config-%s.json' % host, 'w').write(json.dumps(config))
os.makedirs('/opt/ml/output', exist_ok=True)
open('/opt/ml/output/message', 'w').write('copied')
print('done by', host)
"""


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    s3 = make_bucket(localaws)
    for name in ("a", "b", "c", "d"):
        s3.put_object(Bucket=BUCKET, Key=f"rows/{name}.csv", Body=name.encode())
    s3.put_object(Bucket=BUCKET, Key="code/copy.py", Body=COPY)
    manifest = [{"prefix": f"s3://{BUCKET}/rows/"}, "b.csv", "d.csv"]
    s3.put_object(Bucket=BUCKET, Key="rows.manifest", Body=json.dumps(manifest))
    yield localaws.client("sagemaker")


def objects(localaws: Any, prefix: str) -> dict[str, bytes]:
    s3 = localaws.client("s3")
    keys = [it["Key"] for it in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def copying(name: str, **changes: Any) -> dict[str, Any]:
    request = processing_request(
        name,
        "",
        ProcessingInputs=[
            processing_input("rows", "rows/", "input/rows"),
            processing_input("code", "code/copy.py", "input/code"),
        ],
        ProcessingOutputConfig={"Outputs": [processing_output("copied", "output/copied", f"out/{name}")]},
        Environment={"MARK": "!"},
        **changes,
    )
    request["AppSpecification"]["ContainerEntrypoint"] = ["python3", "/opt/ml/processing/input/code/copy.py"]
    request["AppSpecification"]["ContainerArguments"] = ["+"]
    return request


def test_inputs_come_and_outputs_go(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    sagemaker.create_processing_job(**copying("copies"))
    sagemaker.get_waiter("processing_job_completed_or_stopped").wait(ProcessingJobName="copies", WaiterConfig=FAST)

    done = sagemaker.describe_processing_job(ProcessingJobName="copies")

    assert (done["ProcessingJobStatus"], done["ExitMessage"]) == ("Completed", "copied")
    assert done["CreationTime"] <= done["ProcessingStartTime"] <= done["ProcessingEndTime"]
    found = objects(localaws, "out/copies/")
    assert found["deep/a.csv"] == b"a+!"
    assert len(found) == 5
    assert json.loads(found["config-algo-1.json"])["ProcessingJobArn"] == done["ProcessingJobArn"]
    head = localaws.client("s3").head_object(Bucket=BUCKET, Key="out/copies/config-algo-1.json")
    assert head["ContentType"] == "application/json"  # as its name tells: browsers show a report
    assert "done by algo-1" in log_lines(localaws, "/aws/sagemaker/ProcessingJobs", "copies/algo-1-")


def test_two_instances_share_sharded_inputs(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    request = copying("shards")
    request["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    sagemaker.create_processing_job(**request)

    assert end_of_processing(localaws, "shards")["ProcessingJobStatus"] == "Completed"

    found = objects(localaws, "out/shards/")
    assert sorted(found) == ["config-algo-1.json", "config-algo-2.json", *(f"deep/{it}.csv" for it in "abcd")]
    assert all(found[f"deep/{it}.csv"] == f"{it}+!".encode() for it in "abcd")


HOST = """
import json, os, sys, time
config = json.load(open('/opt/ml/config/resourceconfig.json'))
host, out = config['current_host'], '/opt/ml/processing/output/seen/'
os.makedirs(out, exist_ok=True)
rows = sorted(os.listdir('/opt/ml/processing/input/rows'))
open(out + host + '.json', 'w').write(json.dumps({'hosts': config['hosts'], 'rows': rows}))
os.makedirs('/opt/ml/output', exist_ok=True)
"""


def on_three_instances(localaws: Any, name: str, code: str) -> dict[str, Any]:
    """A job on three instances, each with all rows, that runs HOST and then `code`."""
    localaws.client("s3").put_object(Bucket=BUCKET, Key=f"code/{name}.py", Body=HOST + code)
    request = processing_request(
        name,
        "",
        ProcessingInputs=[
            processing_input("rows", "rows/", "input/rows", S3DataDistributionType="FullyReplicated"),
            processing_input("code", f"code/{name}.py", "input/code"),
        ],
        ProcessingOutputConfig={"Outputs": [processing_output("seen", "output/seen", f"out/{name}")]},
        NetworkConfig={"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True},
    )
    request["AppSpecification"]["ContainerEntrypoint"] = ["python3", f"/opt/ml/processing/input/code/{name}.py"]
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 3
    return request


def test_every_instance_has_replicated_inputs_and_knows_its_place(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**on_three_instances(localaws, "places", "print('ran on', host)"))

    assert end_of_processing(localaws, "places")["ProcessingJobStatus"] == "Completed"

    hosts, rows = ["algo-1", "algo-2", "algo-3"], ["a.csv", "b.csv", "c.csv", "d.csv"]
    found = {key: json.loads(body) for key, body in objects(localaws, "out/places/").items()}
    assert found == {f"{host}.json": {"hosts": hosts, "rows": rows} for host in hosts}
    for host in hosts:
        assert f"ran on {host}" in log_lines(localaws, "/aws/sagemaker/ProcessingJobs", f"places/{host}-")


def test_one_failing_instance_ends_the_others_and_fails_the_job(localaws: Any, sagemaker: Any) -> None:
    code = (
        "if host != 'algo-2': time.sleep(60)\n"
        "open('/opt/ml/output/message', 'w').write('no room on ' + host)\n"
        "raise SystemExit(1)"
    )
    sagemaker.create_processing_job(**on_three_instances(localaws, "one-fails", code))

    done = end_of_processing(localaws, "one-fails")

    assert (done["ProcessingJobStatus"], done["ExitMessage"]) == ("Failed", "no room on algo-2")
    assert (done["ProcessingEndTime"] - done["ProcessingStartTime"]).total_seconds() < 50
    assert objects(localaws, "out/one-fails/") == {}


def test_a_reason_that_all_instances_give_is_shown_once(localaws: Any, sagemaker: Any) -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"  # so that all of them come to their end
        "open('/opt/ml/output/message', 'w').write('the store is empty')\n"
        "time.sleep(3)\n"
        "raise SystemExit(1)"
    )
    sagemaker.create_processing_job(**on_three_instances(localaws, "all-fail", code))

    assert end_of_processing(localaws, "all-fail")["ExitMessage"] == "the store is empty"


def test_stop_ends_every_instance(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**on_three_instances(localaws, "stopped-three", "time.sleep(60)"))
    wait_until(lambda: "ProcessingStartTime" in sagemaker.describe_processing_job(ProcessingJobName="stopped-three"))
    sagemaker.stop_processing_job(ProcessingJobName="stopped-three")

    assert end_of_processing(localaws, "stopped-three")["ProcessingJobStatus"] == "Stopped"
    assert objects(localaws, "out/stopped-three/") == {}


def test_a_manifest_names_its_objects(localaws: Any, sagemaker: Any) -> None:
    need_mount_namespaces()
    request = copying("manifest")
    rows = processing_input("rows", "rows.manifest", "input/rows", S3DataType="ManifestFile")
    request["ProcessingInputs"][0] = rows
    sagemaker.create_processing_job(**request)

    assert end_of_processing(localaws, "manifest")["ProcessingJobStatus"] == "Completed"

    assert set(objects(localaws, "out/manifest/deep/")) == {"b.csv", "d.csv"}


def test_a_failure_tells_its_message_and_uploads_nothing(localaws: Any, sagemaker: Any) -> None:
    code = (
        "import os; os.makedirs('/opt/ml/processing/output/x', exist_ok=True); "
        "open('/opt/ml/processing/output/x/half', 'w').write('1'); "
        "open('/opt/ml/output/message', 'w').write('no offline store'); raise SystemExit(3)"
    )
    outputs = {"Outputs": [processing_output("x", "output/x", "out/fails")]}
    sagemaker.create_processing_job(**processing_request("fails", code, ProcessingOutputConfig=outputs))

    done = end_of_processing(localaws, "fails")

    assert done["ProcessingJobStatus"] == "Failed"
    assert done["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert done["ExitMessage"] == "no offline store"
    assert objects(localaws, "out/fails/") == {}


def test_the_failure_file_of_training_is_not_read(localaws: Any, sagemaker: Any) -> None:
    code = "open('/opt/ml/output/failure', 'w').write('lost'); raise KeyError('day')"
    sagemaker.create_processing_job(**processing_request("traceback", code))

    done = end_of_processing(localaws, "traceback")

    assert done["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "ExitMessage" not in done
    assert "KeyError: 'day'" in log_lines(localaws, "/aws/sagemaker/ProcessingJobs", "traceback/")


@pytest.mark.parametrize("is_isolated", [True, False])
def test_an_isolated_processing_job_has_no_network(localaws: Any, sagemaker: Any, is_isolated: bool) -> None:
    if is_isolated:
        need_network_namespaces()
    name = f"network-{is_isolated}".lower()
    network = {"EnableNetworkIsolation": is_isolated}
    sagemaker.create_processing_job(
        **processing_request(name, CONNECT.format(port=localaws.port), NetworkConfig=network)
    )

    assert end_of_processing(localaws, name)["ProcessingJobStatus"] == ("Failed" if is_isolated else "Completed")
    lines = log_lines(localaws, "/aws/sagemaker/ProcessingJobs", f"{name}/")
    assert any("Network is unreachable" in line for line in lines) is is_isolated


def test_a_killed_process_fails_the_job(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_processing_job(
        **processing_request("killed", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    )

    def find() -> int:
        try:
            return int(next(iter(log_lines(localaws, "/aws/sagemaker/ProcessingJobs", "killed/")), 0))
        except ClientError:
            return 0

    os.kill(wait_until(find), signal.SIGKILL)

    assert end_of_processing(localaws, "killed")["ProcessingJobStatus"] == "Failed"
    lines = log_lines(localaws, "/aws/sagemaker/ProcessingJobs", "killed/")
    assert any("killed by SIGKILL" in line for line in lines)


def test_stop_and_time_limit_end_in_stopped(localaws: Any, sagemaker: Any) -> None:
    limit = {"MaxRuntimeInSeconds": 1}
    sagemaker.create_processing_job(
        **processing_request("limited", "import time; time.sleep(60)", StoppingCondition=limit)
    )
    sagemaker.create_processing_job(**processing_request("stops", "import time; time.sleep(60)"))
    sagemaker.stop_processing_job(ProcessingJobName="stops")

    for name in ("limited", "stops"):
        assert end_of_processing(localaws, name)["ProcessingJobStatus"] == "Stopped"


def test_refusals_carry_aws_s_codes(sagemaker: Any) -> None:
    request = processing_request("refused", "pass")
    sagemaker.create_processing_job(**request)
    outside = [processing_input("rows", "rows/", "input/rows")]
    outside[0]["S3Input"]["LocalPath"] = "/etc"
    twice = [processing_input("rows", "rows/", "input/rows")] * 2
    for changes, code, text in (
        ({}, "ResourceInUse", "must be unique"),
        (
            {
                "ProcessingJobName": "lines",
                "AppSpecification": {**request["AppSpecification"], "ContainerArguments": ["two\nlines"]},
            },
            "ValidationException",
            "regular expression pattern: .*",
        ),
        ({"ProcessingJobName": "a_b"}, "ValidationException", "regular expression pattern"),
        ({"ProcessingJobName": "x", "ProcessingInputs": outside}, "ValidationException", "/opt/ml/processing"),
        ({"ProcessingJobName": "y", "ProcessingInputs": twice}, "ValidationException", "unique"),
    ):
        with pytest.raises(ClientError) as error:
            sagemaker.create_processing_job(**{**request, **changes})
        assert error.value.response["Error"]["Code"] == code
        assert text in error.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_processing_job(ProcessingJobName="never")


def test_list_filters_by_name_and_status(localaws: Any, sagemaker: Any) -> None:
    for number in range(2):
        sagemaker.create_processing_job(**processing_request(f"listed-{number}", "pass"))
        end_of_processing(localaws, f"listed-{number}")

    found = sagemaker.list_processing_jobs(NameContains="listed", StatusEquals="Completed")["ProcessingJobSummaries"]

    assert sorted(it["ProcessingJobName"] for it in found) == ["listed-0", "listed-1"]
    assert sagemaker.list_processing_jobs(NameContains="listed", StatusEquals="Failed")["ProcessingJobSummaries"] == []
