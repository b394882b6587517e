"""The clients of tasks: in the region of the names, and for buckets of the account alone."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dags.build import plan
from include.aws_regions import NoImage
from include.settings import CLIENT_REGIONS, settings
from plugins.operators.aws import client
from tests.localaws.conftest import LocalAws, localaws  # noqa: F401 (a fixture)


@pytest.fixture
def environment(localaws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_ENDPOINT_URL", localaws.url)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_a_task_writes_to_no_bucket_of_someone_else(environment: pytest.MonkeyPatch, localaws: LocalAws) -> None:  # noqa: F811
    localaws.client("s3").create_bucket(Bucket="of-local-aws")
    client("s3").put_object(Bucket="of-local-aws", Key="a", Body=b"a")
    environment.setenv("GFF_ACCOUNT_ID", "210987654321")
    settings.cache_clear()
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").put_object(Bucket="of-local-aws", Key="b", Body=b"b")
    assert localaws.client("s3").list_objects_v2(Bucket="of-local-aws")["KeyCount"] == 1


def test_clients_are_in_the_region_of_the_names(environment: pytest.MonkeyPatch) -> None:
    for name in CLIENT_REGIONS:
        environment.delenv(name, raising=False)
    environment.setenv("GFF_REGION", "eu-west-1")
    assert client("sagemaker").meta.region_name == settings().region == "eu-west-1"


def test_a_build_in_a_region_without_the_image_fails_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    there = settings().model_copy(update={"region": "mx-central-1"})
    monkeypatch.setattr("dags.build.settings", lambda: there)
    with pytest.raises(NoImage, match=r"no image sagemaker-xgboost:3\.2-0 in region mx-central-1"):
        plan.function(dag_run=None)
