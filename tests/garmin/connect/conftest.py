import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.garmin.connect.manners import Manners
from tests.garmin.connect.fake_garmin import Account, FakeGarmin
from tests.garmin.connect.fake_garmin.redirect import redirect


@pytest.fixture(scope="session")
def aws() -> dict[str, Any]:
    """boto3 clients by service, made once: that takes ten times as long as all that a test asks of them."""
    with pytest.MonkeyPatch.context() as patches:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            patches.delenv(name, raising=False)
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return {name: boto3.client(name, region_name="us-east-1", **keys) for name in ("s3", "ssm")}


@pytest.fixture
def s3(aws: dict[str, Any], bucket: str) -> Iterator[Any]:
    with mock_aws():
        aws["s3"].create_bucket(Bucket=bucket)
        yield aws["s3"]


@pytest.fixture
def ssm(aws: dict[str, Any], s3: Any) -> Any:
    """Of the same made-up AWS as `s3`."""
    return aws["ssm"]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def fake_garmin(s3: Any, account: Account) -> Iterator[FakeGarmin]:
    """Garmin Connect with `account`, to which every client of this process talks.

    After `s3`, and undone before it: both replace how requests sends.
    """
    with FakeGarmin(account) as fake, pytest.MonkeyPatch.context() as patches:
        redirect(patches, fake)
        yield fake


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manners(clock: Clock) -> Manners:
    return Manners(clock=clock, sleep=clock.sleep, chance=random.Random(1))
