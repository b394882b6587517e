"""Requests for SageMaker jobs that run our code in the XGBoost container: plain data, as boto3 takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.settings import Settings

ML_DIR = "/opt/ml"
INPUT_ROOT = f"{ML_DIR}/processing/input"
OUTPUT_ROOT = f"{ML_DIR}/processing/output"
CHANNEL_ROOT = f"{ML_DIR}/input/data"
CODE = "code"
"""The input or channel that holds our modules."""
MAX_RUNTIME_S = 3600
VOLUME_GB = 30
"""Of each instance: a thousand athletes of five years are 0.5 GB of offline store and 1.6 GB of dataset."""

Request = dict[str, Any]


@dataclass(frozen=True)
class JobPlatform:
    """What a job runs on, the same for every job of a deployment.

    Jobs have no network of their own (their data are health data and they need none): SageMaker brings inputs and
    takes outputs. With subnets and security groups SageMaker does that through the deployment's own VPC.
    """

    image: str
    role_arn: str
    instance_type: str
    instance_count: int = 1
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    kms_key_arn: str = ""
    """Encrypts volumes and outputs; empty for AWS's own keys."""

    @classmethod
    def of_settings(cls, settings: "Settings") -> "JobPlatform":
        """The platform that the settings of a deployment describe."""
        return cls(
            image=settings.xgboost_image,
            role_arn=settings.job_role_arn,
            instance_type=settings.job_instance_type,
            subnets=settings.job_subnets,
            security_groups=settings.job_security_groups,
            kms_key_arn=settings.job_kms_key_arn,
        )

    @property
    def vpc(self) -> Request:
        """`VpcConfig`, where there is one."""
        if not self.subnets:
            return {}
        return {"VpcConfig": {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}}

    @property
    def cluster(self) -> Request:
        """Instances and their volumes."""
        return {
            "InstanceCount": self.instance_count,
            "InstanceType": self.instance_type,
            "VolumeSizeInGB": VOLUME_GB,
            **({"VolumeKmsKeyId": self.kms_key_arn} if self.kms_key_arn else {}),
        }

    @property
    def network(self) -> Request:
        """Isolation; instances that talk to each other do so encrypted."""
        encryption = {"EnableInterContainerTrafficEncryption": True} if self.instance_count > 1 else {}
        return {"EnableNetworkIsolation": True, **encryption}

    @property
    def output_key(self) -> Request:
        """`KmsKeyId` of outputs, where there is one."""
        return {"KmsKeyId": self.kms_key_arn} if self.kms_key_arn else {}


def processing_job(
    name: str,
    module: str,
    platform: JobPlatform,
    *,
    arguments: Sequence[str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Request:
    """`CreateProcessingJob`: `python3 -m {module} {arguments}`.

    Args:
        inputs: S3 URI by folder below /opt/ml/processing/input; `code` holds the modules.
        outputs: S3 URI by folder below /opt/ml/processing/output.
    """
    return {
        "ProcessingJobName": name,
        "RoleArn": platform.role_arn,
        "AppSpecification": {"ImageUri": platform.image, **_entrypoint(module, arguments)},
        "Environment": _environment(f"{INPUT_ROOT}/{CODE}"),
        "ProcessingInputs": [_input(folder, uri) for folder, uri in inputs.items()],
        "ProcessingOutputConfig": {
            "Outputs": [_output(folder, uri) for folder, uri in outputs.items()],
            **platform.output_key,
        },
        "ProcessingResources": {"ClusterConfig": platform.cluster},
        "NetworkConfig": {**platform.network, **platform.vpc},
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
    }


def training_job(
    name: str,
    module: str,
    platform: JobPlatform,
    *,
    channels: Mapping[str, str],
    output_uri: str,
    metrics: Mapping[str, str],
    hyperparameters: Mapping[str, str] | None = None,
) -> Request:
    """`CreateTrainingJob`: `python3 -m {module}`.

    The entry point takes the place of the container's script mode, which would install the script by pip over a
    network and put its own words where the job's reason belongs.

    Args:
        channels: S3 URI by channel; `code` holds the modules.
        metrics: regular expression by metric name.
    """
    return {
        "TrainingJobName": name,
        "RoleArn": platform.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": platform.image,
            "TrainingInputMode": "File",
            **_entrypoint(module, ()),
            "MetricDefinitions": [{"Name": metric, "Regex": regex} for metric, regex in metrics.items()],
        },
        "HyperParameters": dict(hyperparameters or {}),
        "Environment": _environment(f"{CHANNEL_ROOT}/{CODE}"),
        "InputDataConfig": [_channel(channel, uri) for channel, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": output_uri, **platform.output_key},
        "ResourceConfig": platform.cluster,
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
        **platform.network,
        **platform.vpc,
    }


def _entrypoint(module: str, arguments: Sequence[str]) -> Request:
    given = {"ContainerArguments": list(arguments)} if arguments else {}  # SageMaker takes no empty list
    return {"ContainerEntrypoint": ["python3", "-m", module], **given}


def _environment(code: str) -> dict[str, str]:
    # A machine that cannot mount /opt/ml rewrites the path in the environment; one within the code it could not.
    return {"PYTHONPATH": code, "ML_DIR": ML_DIR}


def _input(folder: str, uri: str) -> Request:
    s3 = {"S3Uri": uri, "LocalPath": f"{INPUT_ROOT}/{folder}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": folder, "S3Input": s3}


def _output(folder: str, uri: str) -> Request:
    s3 = {"S3Uri": uri, "LocalPath": f"{OUTPUT_ROOT}/{folder}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": f"{folder}-out", "S3Output": s3}  # a name may be that of no input


def _channel(name: str, uri: str) -> Request:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
