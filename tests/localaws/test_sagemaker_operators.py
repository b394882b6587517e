"""The real operators, sensors and triggers of the amazon provider against local AWS."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.localaws.sagemaker_requests import (
    BUCKET,
    IMAGE,
    ROLE,
    finish_training,
    make_bucket,
    processing_request,
    tar_gz,
    training_request,
)

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.operators.sagemaker import (
    ApprovalStatus,
    SageMakerEndpointConfigOperator,
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerProcessingOperator,
    SageMakerRegisterModelVersionOperator,
    SageMakerTrainingOperator,
)
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerEndpointSensor, SageMakerTrainingSensor
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

SCRIPT = (
    "def model_fn(d):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n    return data, accept\n"
)


@pytest.fixture(scope="module")
def aws(localaws: Any) -> Iterator[Any]:
    make_bucket(localaws).put_object(Bucket=BUCKET, Key="m.tar.gz", Body=tar_gz({"code/inference.py": SCRIPT}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", localaws.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield localaws


def run_deferred(operator: Any) -> Any:
    """What the triggerer does: run the trigger to its first event, then resume the operator with it."""
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    trigger = deferred.value.trigger

    async def first_event() -> Any:
        async for event in trigger.run():
            return event.payload
        return None

    # In a thread: a test that drives a browser leaves this one's event loop running.
    with ThreadPoolExecutor(1) as pool:
        payload = pool.submit(lambda: asyncio.run(asyncio.wait_for(first_event(), 60))).result()
    return getattr(operator, deferred.value.method_name)({}, payload)


OPTIONS = {"aws_conn_id": None, "check_interval": 1}


def test_training_deferred(aws: Any) -> None:
    request = training_request("op-training", aws, "print('trained')")
    operator = SageMakerTrainingOperator(task_id="t", config=request, print_log=False, deferrable=True, **OPTIONS)

    result = run_deferred(operator)

    assert result["Training"]["TrainingJobStatus"] == "Completed"


def test_training_that_fails_raises_with_sagemaker_s_reason(aws: Any) -> None:
    request = training_request("op-fails", aws, "raise ValueError('no vo2max readings')")
    operator = SageMakerTrainingOperator(task_id="t", config=request, print_log=False, **OPTIONS)

    with pytest.raises(AirflowException, match="AlgorithmError: , exit code: 1"):
        operator.execute({})


def test_training_with_a_taken_name_gets_another(aws: Any) -> None:
    request = training_request("op-again", aws, "pass")
    for expected in ("op-again", "op-again-"):
        operator = SageMakerTrainingOperator(task_id="t", config=dict(request), print_log=False, **OPTIONS)
        result = operator.execute({})
        assert result["Training"]["TrainingJobName"].startswith(expected)
    assert SageMakerHook(aws_conn_id=None).describe_training_job("op-again")["TrainingJobStatus"] == "Completed"


def test_training_with_its_log_printed(aws: Any) -> None:
    request = training_request("op-sensor", aws, "print('hello')")
    aws.client("sagemaker").create_training_job(**request)
    sensor = SageMakerTrainingSensor(task_id="s", job_name="op-sensor", print_log=True, aws_conn_id=None)
    finish_training(aws, "op-sensor")

    assert sensor.poke({}) is True


def test_processing_deferred(aws: Any) -> None:
    request = processing_request("op-processing", "print('processed')")
    operator = SageMakerProcessingOperator(task_id="p", config=request, deferrable=True, **OPTIONS)

    result = run_deferred(operator)

    assert result["Processing"]["ProcessingJobStatus"] == "Completed"


def test_processing_that_fails_raises_without_the_container_s_words(aws: Any) -> None:
    request = processing_request("op-processing-fails", "raise ValueError('empty offline store')")
    operator = SageMakerProcessingOperator(task_id="p", config=request, **OPTIONS)

    with pytest.raises(AirflowException, match="AlgorithmError: See job logs for more information"):
        operator.execute({})


def test_register_makes_the_group_once_and_versions_after(aws: Any) -> None:
    arns = [
        SageMakerRegisterModelVersionOperator(
            task_id="r",
            image_uri=IMAGE,
            model_url=f"s3://{BUCKET}/m.tar.gz",
            package_group_name="op-group",
            model_approval=ApprovalStatus.PENDING_MANUAL_APPROVAL,
            extras={"CustomerMetadataProperties": {"dataset_version": "v1"}},
            aws_conn_id=None,
        ).execute({})
        for _ in range(2)
    ]

    assert [arn.split("/")[-2:] for arn in arns] == [["op-group", "1"], ["op-group", "2"]]


def test_model_config_endpoint_and_sensor(aws: Any) -> None:
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz", "Environment": environment}
    model = {"ModelName": "op-model", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    variant = {"VariantName": "A", "ModelName": "op-model", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    config = {"EndpointConfigName": "op-config", "ProductionVariants": [variant]}
    endpoint = {"EndpointName": "op-endpoint", "EndpointConfigName": "op-config"}
    SageMakerModelOperator(task_id="m", config=model, aws_conn_id=None).execute({})
    SageMakerEndpointConfigOperator(task_id="c", config=config, aws_conn_id=None).execute({})

    # The second one finds the endpoint and turns into an update.
    for _ in range(2):
        operator = SageMakerEndpointOperator(task_id="e", config=dict(endpoint), **OPTIONS)
        assert operator.execute({})["Endpoint"]["EndpointStatus"] == "InService"
    run_deferred(SageMakerEndpointOperator(task_id="e", config=dict(endpoint), deferrable=True, **OPTIONS))

    assert SageMakerEndpointSensor(task_id="s", endpoint_name="op-endpoint", aws_conn_id=None).poke({}) is True
