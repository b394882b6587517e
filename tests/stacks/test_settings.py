"""Settings: account and region are never guessed on AWS, and every region has its own names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from include.aws_regions import NoImage
from include.settings import LOCAL_ACCOUNT, Settings, SettingsError, names_local_aws, settings
from tests.stacks.templates import NAMES, template

ROOT = Path(__file__).parents[2]
ON_AWS = {"GFF_ACCOUNT_ID": "210987654321", "GFF_REGION": "eu-west-1"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A bare environment, where `settings()` is read anew."""
    for name in list(os.environ):
        if name.startswith(("GFF_", "AWS_")):
            monkeypatch.delenv(name)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def read(environment: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return settings()


def refusal(environment: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(environment, **variables)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_account_is_never_guessed_on_aws(environment: pytest.MonkeyPatch) -> None:
    assert "GFF_ACCOUNT_ID" in refusal(environment, GFF_REGION="eu-west-1")
    assert "GFF_ACCOUNT_ID" in refusal(environment, AWS_ENDPOINT_URL="https://vpce-1.s3.eu-west-1.vpce.amazonaws.com")


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "[::1]:4566", "localaws:4566"])
def test_local_aws_has_an_account_of_its_own(environment: pytest.MonkeyPatch, host: str) -> None:
    found = read(environment, AWS_ENDPOINT_URL=f"http://{host}", AWS_REGION="us-east-1")
    assert (found.account_id, found.bucket) == (LOCAL_ACCOUNT, f"garmin-forecast-{LOCAL_ACCOUNT}-us-east-1")


@pytest.mark.parametrize("url", ["", "https://s3.amazonaws.com", "http://10.0.0.7:4566", "http://aws.example.com"])
def test_other_endpoints_are_not_local_aws(url: str) -> None:
    assert not names_local_aws(url)


def test_a_region_is_never_guessed(environment: pytest.MonkeyPatch) -> None:
    assert "GFF_REGION" in refusal(environment, GFF_ACCOUNT_ID="210987654321")


def test_the_region_is_that_of_the_clients(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GFF_ACCOUNT_ID", "210987654321")
    assert read(environment, AWS_DEFAULT_REGION="eu-west-2").region == "eu-west-2"
    settings.cache_clear()
    assert read(environment, AWS_REGION="eu-west-2", AWS_DEFAULT_REGION="eu-west-2").region == "eu-west-2"


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_names_and_clients_cannot_be_in_two_regions(environment: pytest.MonkeyPatch, variable: str) -> None:
    said = refusal(environment, **ON_AWS, **{variable: "us-east-1"})
    assert variable in said and "eu-west-1" in said and "us-east-1" in said


def test_what_is_wrong_is_named(environment: pytest.MonkeyPatch) -> None:
    assert "'nowhere-east-1'" in refusal(environment, GFF_ACCOUNT_ID="210987654321", GFF_REGION="nowhere-east-1")
    assert refusal(environment, **ON_AWS | {"GFF_ACCOUNT_ID": "12"}).startswith("GFF_ACCOUNT_ID=12: ")
    environment.setenv("GFF_ENDPOINT_MODE", "sometimes")
    assert "GFF_ENDPOINT_MODE=sometimes: " in refusal(environment, **ON_AWS)


@pytest.mark.parametrize(
    ("region", "partition", "image"),
    [
        ("eu-south-2", "aws", "104374241257.dkr.ecr.eu-south-2.amazonaws.com/sagemaker-xgboost:3.2-0"),
        ("sa-east-1", "aws", "737474898029.dkr.ecr.sa-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"),
        ("cn-north-1", "aws-cn", "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.2-0"),
        ("us-gov-west-1", "aws-us-gov", "414596584902.dkr.ecr.us-gov-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"),
    ],
)
def test_every_region_has_its_own_image_and_partition(region: str, partition: str, image: str) -> None:
    found = Settings(account_id="210987654321", region=region)
    assert (found.partition, found.require_image(), found.xgboost_image) == (partition, image, image)
    role = f"arn:{partition}:iam::210987654321:role/garmin-forecast"
    assert (found.job_role_arn, found.model_role_arn) == (f"{role}-sagemaker", f"{role}-model")
    assert found.stacks_role_arn == f"{role}-stacks"


def test_a_region_without_the_image_is_one_readable_line() -> None:
    found = Settings(account_id="210987654321", region="mx-central-1")
    assert found.xgboost_image == ""
    with pytest.raises(NoImage, match=r"no image sagemaker-xgboost:3\.2-0 in region mx-central-1: deploy to another"):
        found.require_image()


def test_dag_files_import_in_a_region_without_the_image() -> None:
    environment = os.environ | ON_AWS | {"GFF_REGION": "mx-central-1", "AIRFLOW__CORE__UNIT_TEST_MODE": "True"}
    environment = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-c", "import dags.build"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("project", ["aws-forecast", "ssm", "ssmx", "Garmin", "ab"])
def test_a_project_is_refused_whose_names_aws_refuses(project: str) -> None:
    with pytest.raises(ValueError, match="project"):
        Settings(project=project, account_id="210987654321", region="eu-west-1")


def test_templates_and_settings_take_the_same_projects() -> None:
    patterns = {
        name: template(name)["Parameters"]["Project"]["AllowedPattern"]
        for name in NAMES
        if "Project" in template(name)["Parameters"]
    }
    assert set(patterns) == set(NAMES) - {"data"}
    for name, pattern in patterns.items():
        assert not re.fullmatch(pattern, "aws-forecast") and not re.fullmatch(pattern, "ssm1"), name
        assert re.fullmatch(pattern, "garmin-forecast") and re.fullmatch(pattern, "awful"), name
