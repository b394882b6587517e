"""Ctrl-C is an end that someone wanted, whatever it breaks off."""

import boto3
import pytest
from urllib3.connectionpool import HTTPConnectionPool

from infra.laptop.commands import Interrupted


def test_an_interrupted_request_to_aws_is_no_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", interrupted)
    s3 = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", region_name="us-east-1", aws_access_key_id="local",
        aws_secret_access_key="local",
    )  # fmt: skip
    with pytest.raises(Interrupted):
        s3.list_buckets()
