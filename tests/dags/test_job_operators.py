"""A failed job fails its task with the reason that the job left, waited for in the task or by the triggerer."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

from plugins.operators.job_operators import JobFailed, ProcessingJobOperator, TrainingJobOperator
from tests.localaws.conftest import LocalAws, localaws  # noqa: F401 (a fixture)
from tests.localaws.sagemaker_requests import (
    end_of_processing,
    make_bucket,
    need_mount_namespaces,
    processing_request,
    training_request,
    wait_until,
)

REASON = "no offline store: run garmin_ingest first"
FAIL = (
    "for name in ('failure', 'message'):"
    f" open('/opt/ml/output/' + name, 'w').write('{REASON}') and name == 'message' and exit(1)"
)
OPTIONS: dict[str, Any] = {"task_id": "job", "aws_conn_id": None, "check_interval": 1}


@pytest.fixture(scope="module")
def aws(localaws: LocalAws) -> Iterator[LocalAws]:  # noqa: F811
    make_bucket(localaws)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", localaws.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield localaws


def operator_of(aws: LocalAws, kind: str, name: str, **options: Any) -> Any:
    if kind == "Training":
        need_mount_namespaces()
        return TrainingJobOperator(config=training_request(name, aws, FAIL), print_log=False, **OPTIONS, **options)
    return ProcessingJobOperator(config=processing_request(name, FAIL), **OPTIONS, **options)


@pytest.mark.parametrize("kind", ["Training", "Processing"])
def test_a_job_that_the_task_waits_for(aws: LocalAws, kind: str) -> None:
    operator = operator_of(aws, kind, f"{kind}-waited")

    with pytest.raises(JobFailed, match=f"{kind} job {kind}-waited failed: .*{REASON}"):
        operator.execute({})


@pytest.mark.parametrize("kind", ["Training", "Processing"])
def test_a_job_that_the_triggerer_waits_for(aws: LocalAws, kind: str) -> None:
    """The trigger fails, so the task is resumed to fail and knows nothing but its own request."""
    operator = operator_of(aws, kind, f"{kind}-deferred", deferrable=True)
    with pytest.raises((TaskDeferred, JobFailed)) as ended:
        operator.execute({})
    if isinstance(ended.value, TaskDeferred):
        trigger = ended.value.trigger

        async def run_trigger() -> None:
            async for _ in trigger.run():
                pytest.fail("the trigger of a failed job has no event")

        with ThreadPoolExecutor(1) as pool, pytest.raises(AirflowException):
            pool.submit(lambda: asyncio.run(asyncio.wait_for(run_trigger(), 60))).result()
        resumed = operator_of(aws, kind, f"{kind}-deferred", deferrable=True)
        with pytest.raises(JobFailed, match=REASON):
            resumed.resume_execution("__fail__", {"error": "Trigger failure"}, {})
    else:
        assert REASON in str(ended.value)


def test_an_error_of_another_cause_is_left_as_it_is(aws: LocalAws) -> None:
    sleeping = processing_request("sleeping", "import time; time.sleep(60)")
    operator = ProcessingJobOperator(config=sleeping, deferrable=True, **OPTIONS)
    with pytest.raises(TaskDeferred):
        operator.execute({})

    with pytest.raises(TaskDeferralTimeout):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, {})
    with pytest.raises(TaskDeferralError, match="Trigger failure"):
        operator.resume_execution("__fail__", {"error": "Trigger failure"}, {})

    client = aws.client("sagemaker")
    wait_until(lambda: client.describe_processing_job(ProcessingJobName="sleeping").get("ProcessingStartTime"))
    client.stop_processing_job(ProcessingJobName="sleeping")
    assert end_of_processing(aws, "sleeping")["ProcessingJobStatus"] == "Stopped"
