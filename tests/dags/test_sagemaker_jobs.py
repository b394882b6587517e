"""Requests are checked by botocore against SageMaker's own model."""

import importlib
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from dags.build import model_build
from include.settings import Settings
from plugins.operators.sagemaker_jobs import JobPlatform, processing_job, training_job


def faults(operation: str, request: dict[str, Any]) -> str:
    client = boto3.client("sagemaker", region_name="us-east-1")
    shape = client.meta.service_model.operation_model(operation).input_shape
    return ParamValidator().validate(request, shape).generate_report()


PLATFORM = JobPlatform("i", "arn:aws:iam::123456789012:role/garmin-forecast-sagemaker", "ml.m5.large")
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
PRIVATE = replace(PLATFORM, subnets=("subnet-1",), security_groups=("sg-1",), kms_key_arn=KEY, instance_count=2)


def processing_request(platform: JobPlatform = PLATFORM) -> dict[str, Any]:
    return processing_job(
        "p-1", "include.jobs.preprocess", platform, arguments=["--as-of", "x"],
        inputs={"code": "s3://b/code/", "offline": "s3://b/f/"}, outputs={"dataset": "s3://b/d/"},
    )  # fmt: skip


def training_request(platform: JobPlatform = PLATFORM) -> dict[str, Any]:
    return training_job(
        "t-1", "include.jobs.train", platform, channels={"code": "s3://b/code/", "train": "s3://b/train/"},
        output_uri="s3://b/m/", metrics={"crps": "crps=([0-9.]+)"}, hyperparameters={"seed": "7"},
    )  # fmt: skip


def test_a_processing_request_is_what_sagemaker_takes() -> None:
    request = processing_request()
    assert faults("CreateProcessingJob", request) == ""
    assert request["AppSpecification"]["ContainerEntrypoint"] == ["python3", "-m", "include.jobs.preprocess"]
    assert [i["S3Input"]["LocalPath"] for i in request["ProcessingInputs"]] == [
        "/opt/ml/processing/input/code",
        "/opt/ml/processing/input/offline",
    ]


def test_a_job_without_arguments_names_none() -> None:
    request = processing_job("p-1", "m", PLATFORM, arguments=[], inputs={}, outputs={})
    assert "ContainerArguments" not in request["AppSpecification"]  # SageMaker takes no empty list


def test_a_training_request_is_what_sagemaker_takes() -> None:
    request = training_request()
    assert faults("CreateTrainingJob", request) == ""
    assert request["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python3", "-m", "include.jobs.train"]
    assert request["Environment"]["PYTHONPATH"] == "/opt/ml/input/data/code"
    assert request["HyperParameters"] == {"seed": "7"}, "no script mode: it needs a network"


def test_jobs_have_no_network() -> None:
    assert processing_request()["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert training_request()["EnableNetworkIsolation"] is True
    dag = model_build()
    assert dag.get_task("preprocess").config["NetworkConfig"]["EnableNetworkIsolation"] is True
    assert dag.get_task("train").config["EnableNetworkIsolation"] is True


def test_a_private_deployment_keeps_its_jobs_in_its_network_and_encrypts_with_its_key() -> None:
    processing, training = processing_request(PRIVATE), training_request(PRIVATE)
    assert faults("CreateProcessingJob", processing) == faults("CreateTrainingJob", training) == ""
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert processing["NetworkConfig"]["VpcConfig"] == training["VpcConfig"] == vpc
    assert processing["NetworkConfig"]["EnableInterContainerTrafficEncryption"] is True
    assert training["EnableInterContainerTrafficEncryption"] is True
    assert processing["ProcessingOutputConfig"]["KmsKeyId"] == training["OutputDataConfig"]["KmsKeyId"] == KEY
    assert processing["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
    assert training["ResourceConfig"]["VolumeKmsKeyId"] == KEY


def test_the_platform_is_that_of_the_settings() -> None:
    settings = Settings(account_id="123456789012", job_subnets="subnet-1, subnet-2", job_security_groups="sg-1")
    platform = JobPlatform.of_settings(settings)
    assert platform.subnets == ("subnet-1", "subnet-2")
    assert platform.security_groups == ("sg-1",)
    assert JobPlatform.of_settings(Settings(account_id="123456789012")).vpc == {}


def test_the_dataset_is_made_on_as_many_instances_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's files hold many athletes each, so every instance has all of them."""
    from include.settings import settings

    settings.cache_clear()
    monkeypatch.setenv("GFF_PREPROCESS_INSTANCES", "4")
    request = importlib.reload(importlib.import_module("dags.build")).model_build().get_task("preprocess").config
    monkeypatch.undo()
    settings.cache_clear()
    importlib.reload(importlib.import_module("dags.build"))
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 4
    assert not any(it["S3Input"].get("S3DataDistributionType") for it in request["ProcessingInputs"])
    assert model_build().get_task("preprocess").config["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1


def test_training_reads_the_parts_of_a_fold() -> None:
    channels = model_build().get_task("train").config["InputDataConfig"]
    uris = {it["ChannelName"]: it["DataSource"]["S3DataSource"]["S3Uri"] for it in channels}
    assert uris["train"].endswith("/train/") and uris["calibration"].endswith("/calibration/")


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
    container = extras["InferenceSpecification"]["Containers"][0]
    assert container["Environment"]["PIP_NO_BUILD_ISOLATION"] == "0", "the script is installed without a network"
