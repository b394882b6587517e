"""Requests for SageMaker jobs that run our code in the XGBoost container: plain data, as boto3 takes it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

INPUT_ROOT = "/opt/ml/processing/input"
OUTPUT_ROOT = "/opt/ml/processing/output"
MAX_RUNTIME_S = 3600
VOLUME_GB = 10


def processing_job(
    name: str,
    module: str,
    *,
    image: str,
    role_arn: str,
    instance_type: str,
    arguments: Sequence[str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> dict[str, Any]:
    """`CreateProcessingJob`: `python3 -m {module} {arguments}`.

    Args:
        inputs: S3 URI by folder below /opt/ml/processing/input; `code` holds the modules.
        outputs: S3 URI by folder below /opt/ml/processing/output.
    """
    return {
        "ProcessingJobName": name,
        "RoleArn": role_arn,
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", "-m", module],
            **({"ContainerArguments": list(arguments)} if arguments else {}),
        },
        "Environment": {"PYTHONPATH": f"{INPUT_ROOT}/code"},
        "ProcessingInputs": [_input(folder, uri) for folder, uri in inputs.items()],
        "ProcessingOutputConfig": {"Outputs": [_output(folder, uri) for folder, uri in outputs.items()]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": instance_type, "VolumeSizeInGB": VOLUME_GB}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
    }


def training_job(
    name: str,
    program: str,
    *,
    image: str,
    role_arn: str,
    instance_type: str,
    source_uri: str,
    channels: Mapping[str, str],
    output_uri: str,
    metrics: Mapping[str, str],
    hyperparameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`CreateTrainingJob` in script mode.

    Args:
        program: path of the script within the archive at `source_uri`.
        channels: S3 URI by channel.
        metrics: regular expression by metric name.
    """
    script = {"sagemaker_program": program, "sagemaker_submit_directory": source_uri, **(hyperparameters or {})}
    return {
        "TrainingJobName": name,
        "RoleArn": role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": metric, "Regex": regex} for metric, regex in metrics.items()],
        },
        # SageMaker's training toolkit reads every value as JSON.
        "HyperParameters": {key: json.dumps(value) for key, value in script.items()},
        "InputDataConfig": [_channel(channel, uri) for channel, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": output_uri},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": instance_type, "VolumeSizeInGB": VOLUME_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
    }


def _input(folder: str, uri: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": f"{INPUT_ROOT}/{folder}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": folder, "S3Input": s3}


def _output(folder: str, uri: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": f"{OUTPUT_ROOT}/{folder}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": f"{folder}-out", "S3Output": s3}  # a name may be that of no input


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}
