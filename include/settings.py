"""One frozen settings object, read from the environment (`GFF_…`); every AWS name derives from it."""

from datetime import date
from functools import cache
from urllib.parse import quote

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from include.features.schema import SCHEMA_VERSION

XGBOOST_REGISTRY_ACCOUNTS = {
    "ap-northeast-1": "354813040037",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "eu-central-1": "492215442770",
    "eu-west-1": "141502667606",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-west-2": "246618743249",
}
"""Accounts that hold the SageMaker XGBoost images, by region (AWS: "XGBoost image URIs")."""


class Settings(BaseSettings):
    """Names and choices of one deployment. `GFF_PROJECT=mine` renames every stack and resource of it."""

    model_config = SettingsConfigDict(env_prefix="GFF_", frozen=True)

    project: str = Field("garmin-forecast", pattern=r"^[a-z][a-z0-9-]{2,24}$")
    account_id: str = Field("123456789012", pattern=r"^\d{12}$")
    region: str = "us-east-1"
    source: str = "synthetic"
    """Where Garmin data comes from: `synthetic[:athletes=12,years=3,seed=7]` or `folder:PATH`."""
    schedule_start: date = date(2026, 1, 1)
    """First day that the daily schedule owns; what lies before it is loaded by hand."""
    job_instance_type: str = "ml.m5.large"
    job_poll_s: int = 10
    """How often deferred SageMaker tasks ask for the state of their job."""
    endpoint_instance_type: str = "ml.m5.large"
    api_stage_rate_limit: int | None = None
    """Requests a second that all callers together may make to a route of the API; None leaves a limit to the stack."""
    api_stage_burst_limit: int | None = None
    api_rate_limit: int | None = None
    """Requests a second that one API key may make."""
    api_burst_limit: int | None = None
    api_daily_quota: int | None = None
    object_page_url: str = "https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}&prefix={key}"
    """Where a person sees an object of S3: the console, which asks them to sign in."""

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
        """The role of SageMaker jobs and models (stack `ml`); the feature group has its own (stack `features`)."""
        return f"arn:aws:iam::{self.account_id}:role/{self.project}-sagemaker"

    @property
    def xgboost_image(self) -> str:
        """Image URI of `sagemaker-xgboost:3.2-0`.

        Raises:
            KeyError: for a region whose registry account is not in XGBOOST_REGISTRY_ACCOUNTS.
        """
        account = XGBOOST_REGISTRY_ACCOUNTS[self.region]
        return f"{account}.dkr.ecr.{self.region}.amazonaws.com/sagemaker-xgboost:3.2-0"

    def object_page(self, bucket: str, key: str) -> str:
        """The address of an object for a browser."""
        return self.object_page_url.format(region=self.region, bucket=bucket, key=quote(key))

    def stack(self, name: str) -> str:
        """The CloudFormation stack name of `data`, `features`, `ml`, `serving` or `endpoint`."""
        return f"{self.project}-{name}"


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
