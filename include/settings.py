"""One frozen settings object, read from the environment (`GFF_…`); every AWS name derives from it."""

import os
from collections.abc import Mapping
from datetime import date
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from include import aws_regions
from include.features.schema import SCHEMA_VERSION

LOCAL_ACCOUNT = "123456789012"
"""The account of local AWS. On AWS it belongs to someone else, so it is a default for local AWS alone."""
PROJECT_PATTERN = r"^(?!aws|ssm)[a-z][a-z0-9-]{2,24}$"
"""Every name begins with the project, and Parameter Store refuses names that begin with /aws or /ssm."""
CLIENT_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Where AWS's own tools look for a region."""


class SettingsError(ValueError):
    """The environment does not describe a deployment; the message is one line that names the variable."""


DEFAULT_PROJECT = "garmin-forecast"


class Settings(BaseSettings):
    """Names and choices of one deployment. `GFF_PROJECT=mine` renames every stack and resource of it."""

    model_config = SettingsConfigDict(env_prefix="GFF_", frozen=True, regex_engine="python-re")

    project: str = Field(DEFAULT_PROJECT, pattern=PROJECT_PATTERN)
    account_id: str = Field(pattern=r"^\d{12}$")
    """The AWS account. Buckets are asked for with it as their owner. Local AWS has a default, AWS has none."""
    region: str
    """From GFF_REGION, else AWS_REGION, else AWS_DEFAULT_REGION; those that are set must agree."""
    source: str = "synthetic"
    """Where Garmin data comes from: `synthetic[:athletes=12,years=3,seed=7]` or `folder:PATH`."""
    schedule_start: date = date(2026, 1, 1)
    """First day that the daily schedule owns; what lies before it is loaded by hand."""
    job_instance_type: str = "ml.m5.large"
    preprocess_instances: int = Field(1, ge=1, le=20)
    """Instances that make a dataset; the result is the same with any number. It takes more than 50 athletes to pay."""
    job_subnets: Annotated[tuple[str, ...], NoDecode] = ()
    """Subnets that jobs run in (`GFF_JOB_SUBNETS=subnet-1,subnet-2`); none leaves them to SageMaker's own network."""
    job_security_groups: Annotated[tuple[str, ...], NoDecode] = ()
    """Security groups of jobs in subnets of ours."""
    job_kms_key_arn: str = ""
    """The KMS key that encrypts volumes and outputs of jobs; empty for AWS's own keys."""
    job_poll_s: int = 10
    """How often deferred SageMaker tasks ask for the state of their job."""
    offline_store_lag_s: float = Field(900, ge=0)
    """Within so many seconds Feature Store has written what was put to the offline store (AWS: 15 minutes)."""
    job_log_retention_days: int | None = Field(None, ge=1)
    """When the logs of SageMaker jobs expire, those of the whole account: None leaves its log groups as they are."""
    endpoint_mode: Literal["instance", "serverless"] | None = None
    """This and the other choices of the endpoint: None leaves them to the stack, which keeps what it was given."""
    endpoint_instance_type: str | None = Field(None, pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")
    endpoint_instance_count: int | None = Field(None, ge=1, le=10)
    endpoint_memory_mb: int | None = Field(None, ge=1024, le=6144, multiple_of=1024)
    endpoint_max_concurrency: int | None = Field(None, ge=1, le=200)
    api_stage_rate_limit: int | None = None
    """Requests a second that all callers together may make to a route of the API; None leaves a limit to the stack."""
    api_stage_burst_limit: int | None = None
    api_rate_limit: int | None = None
    """Requests a second that one API key may make."""
    api_burst_limit: int | None = None
    api_daily_quota: int | None = None
    object_page_url: str = "https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}&prefix={key}"
    """Where a person sees an object of S3: the console, which asks them to sign in."""

    @field_validator("job_subnets", "job_security_groups", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _know_the_place(cls, values: Any) -> Any:
        """Fill in account and region from what AWS's own tools read."""
        given = dict(values)
        given.setdefault("region", _client_region(os.environ))
        if names_local_aws(os.environ.get("AWS_ENDPOINT_URL", "")):
            given.setdefault("account_id", LOCAL_ACCOUNT)
        if not given.get("account_id"):
            raise ValueError("GFF_ACCOUNT_ID is not set: it is the twelve digits of the AWS account to work in")
        if not given["region"]:
            raise ValueError("GFF_REGION is not set, nor AWS_REGION: one of them names the AWS region to work in")
        aws_regions.partition_of(given["region"])
        return given

    @property
    def partition(self) -> str:
        """The second field of every ARN: `aws`, `aws-cn`, `aws-us-gov`."""
        return aws_regions.partition_of(self.region).name

    @property
    def dns_suffix(self) -> str:
        """The domain of AWS's services, `amazonaws.com` in most regions."""
        return aws_regions.partition_of(self.region).dns_suffix

    @property
    def bucket(self) -> str:
        return f"{self.project}-{self.account_id}-{self.region}"

    @property
    def feature_group(self) -> str:
        return f"{self.project}-athlete-day-v{SCHEMA_VERSION}"

    @property
    def model_package_group(self) -> str:
        return f"{self.project}-vo2max"

    @property
    def endpoint(self) -> str:
        return f"{self.project}-vo2max"

    @property
    def job_role_arn(self) -> str:
        """The role of SageMaker jobs (stack `ml`); the feature group has its own (stack `features`)."""
        return self._role_arn("sagemaker")

    @property
    def model_role_arn(self) -> str:
        """The role of the model behind the endpoint (stack `ml`)."""
        return self._role_arn("model")

    @property
    def stacks_role_arn(self) -> str:
        """The role that CloudFormation makes every other stack with (stack `access`)."""
        return self._role_arn("stacks")

    @property
    def delivery_stacks_role_arn(self) -> str:
        """The role that CloudFormation makes the stack `delivery` with; Airflow's tasks may not pass it."""
        return self._role_arn("delivery-stacks")

    @property
    def xgboost_image(self) -> str:
        """URI of SageMaker's XGBoost image; empty where the region has none.

        DAG files read it when they are parsed, and no region may keep them from that: whoever is about to use the
        image calls `require_image` first.
        """
        try:
            return aws_regions.xgboost_image(self.region)
        except aws_regions.NoImage:
            return ""

    def require_image(self) -> str:
        """URI of SageMaker's XGBoost image.

        Raises:
            aws_regions.NoImage: the region has none; the message names regions that do.
        """
        return aws_regions.xgboost_image(self.region)

    def object_page(self, bucket: str, key: str) -> str:
        """The address of an object for a browser."""
        return self.object_page_url.format(region=self.region, bucket=bucket, key=quote(key))

    def stack(self, name: str) -> str:
        """The CloudFormation stack name of `access`, `data`, `features`, `ml`, `serving` or `endpoint`."""
        return f"{self.project}-{name}"

    def _role_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role/{self.project}-{name}"


def names_local_aws(endpoint_url: str) -> bool:
    """Whether an endpoint is local AWS: on this machine, or a service of its Docker network (a name without dots)."""
    host = urlsplit(endpoint_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return bool(host) and "." not in host


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a variable is missing or wrong.
    """
    try:
        found = Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(problem) for problem in error.errors())) from None
    for variable in CLIENT_REGIONS:
        if (os.environ.get(variable) or found.region) != found.region:
            raise SettingsError(
                f"GFF_REGION is {found.region} and {variable} is {os.environ[variable]}: "
                "names and clients must mean the same region, so leave one of them out or make them equal"
            )
    return found


def _client_region(environment: Mapping[str, str]) -> str | None:
    return next((environment[name] for name in CLIENT_REGIONS if environment.get(name)), None)


def _sentence(problem: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence that names the environment variable."""
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    variable = f"GFF_{problem['loc'][0]}".upper()
    return f"{variable}={problem['input']!s}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
