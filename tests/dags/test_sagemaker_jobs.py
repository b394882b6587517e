"""Requests are checked by botocore against SageMaker's own model."""

import json
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from dags.build import model_build
from plugins.operators.sagemaker_jobs import processing_job, training_job


def faults(operation: str, request: dict[str, Any]) -> str:
    client = boto3.client("sagemaker", region_name="us-east-1")
    shape = client.meta.service_model.operation_model(operation).input_shape
    return ParamValidator().validate(request, shape).generate_report()


COMMON = {
    "image": "i",
    "role_arn": "arn:aws:iam::123456789012:role/garmin-forecast-sagemaker",
    "instance_type": "ml.m5.large",
}


def test_a_processing_request_is_what_sagemaker_takes() -> None:
    request = processing_job(
        "p-1", "include.jobs.preprocess", **COMMON, arguments=["--as-of", "x"],
        inputs={"code": "s3://b/code/", "offline": "s3://b/f/"}, outputs={"dataset": "s3://b/d/"},
    )  # fmt: skip
    assert faults("CreateProcessingJob", request) == ""
    assert request["AppSpecification"]["ContainerEntrypoint"] == ["python3", "-m", "include.jobs.preprocess"]
    assert [i["S3Input"]["LocalPath"] for i in request["ProcessingInputs"]] == [
        "/opt/ml/processing/input/code",
        "/opt/ml/processing/input/offline",
    ]


def test_a_job_without_arguments_names_none() -> None:
    request = processing_job("p-1", "m", **COMMON, arguments=[], inputs={}, outputs={})
    assert "ContainerArguments" not in request["AppSpecification"]  # SageMaker takes no empty list


def test_a_training_request_is_what_sagemaker_takes() -> None:
    request = training_job(
        "t-1", "include.jobs.train", **COMMON, source_uri="s3://b/s.tar.gz", channels={"train": "s3://b/train.csv"},
        output_uri="s3://b/m/", metrics={"crps": "crps=([0-9.]+)"}, hyperparameters={"seed": 7},
    )  # fmt: skip
    assert faults("CreateTrainingJob", request) == ""
    assert {name: json.loads(value) for name, value in request["HyperParameters"].items()} == {
        "sagemaker_program": "include.jobs.train",
        "sagemaker_submit_directory": "s3://b/s.tar.gz",
        "seed": 7,
    }


def test_job_names_are_short_enough_and_differ_by_try() -> None:
    dag = model_build()
    for task_id, key in (("preprocess", "ProcessingJobName"), ("train", "TrainingJobName")):
        template = dag.get_task(task_id).config[key]
        name = template.replace("{{ ti.xcom_pull('plan')['version'] }}", "20261123t235900z").replace(
            "{{ ti.try_number }}", "10"
        )
        assert "{" not in name
        assert len(name) <= 63
        assert "{{ ti.try_number }}" in template


@pytest.mark.parametrize("served_by", ["1-7=persistence 8-14=forecaster 15-28=forecaster 29-42=persistence"])
def test_registry_metadata_keeps_to_the_signs_that_sagemaker_takes(served_by: str) -> None:
    import re

    signs = r"[\w\s.:/=+\-@]{1,256}"
    assert re.fullmatch(signs, served_by)
    extras = model_build().get_task("register").extras
    metadata = extras["CustomerMetadataProperties"]
    assert set(metadata) == {"dataset_version", "model_version", "feature_group", "git_commit", "served_by", "report"}
    assert re.fullmatch(signs, metadata["report"].replace("{{ ti.xcom_pull('plan')['version'] }}", "20261123t235900z"))
    assert faults("CreateModelPackage", extras) == ""
