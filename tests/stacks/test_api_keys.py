"""The map of API keys: a deployment adds its own key once, and never over what a person wrote."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.deploy.api_keys import ApiKeysError, seed
from include.lake import API_KEYS_KEY
from include.serving.deployment import parse_api_keys

BUCKET = "lake"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def key_map(s3: Any) -> Any:
    return json.loads(s3.get_object(Bucket=BUCKET, Key=API_KEYS_KEY)["Body"].read())


def write(s3: Any, document: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=API_KEYS_KEY, Body=json.dumps(document).encode())


class Meanwhile:
    """S3 where somebody else does something before each of the first writes."""

    def __init__(self, s3: Any, *actions: Any) -> None:
        self.s3, self.actions = s3, list(actions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)

    def put_object(self, **arguments: Any) -> Any:
        if self.actions:
            self.actions.pop(0)()
        return self.s3.put_object(**arguments)


def test_the_first_key_reads_everybody_and_the_api_reads_the_map(s3: Any) -> None:
    assert seed(s3, BUCKET, "k1")
    assert key_map(s3) == parse_api_keys(key_map(s3)) == {"k1": ["*"]}


def test_what_a_person_wrote_stays(s3: Any) -> None:
    write(s3, {"k1": ["anna"], "k2": []})
    assert not seed(s3, BUCKET, "k1")
    assert key_map(s3) == {"k1": ["anna"], "k2": []}


def test_a_key_that_replaces_another_is_added(s3: Any) -> None:
    write(s3, {"old": ["anna"]})
    assert seed(s3, BUCKET, "new")
    assert key_map(s3) == {"old": ["anna"], "new": ["*"]}


@pytest.mark.parametrize("begins_with", [None, {"k0": ["anna"]}])
def test_two_who_write_at_once_lose_nothing(s3: Any, begins_with: Any) -> None:
    """Also where neither found a map to begin with."""
    if begins_with is not None:
        write(s3, begins_with)
    at_once = Meanwhile(s3, lambda: seed(s3, BUCKET, "other"), lambda: write(s3, {**key_map(s3), "by-hand": ["ben"]}))
    assert seed(at_once, BUCKET, "mine")
    assert key_map(s3) == {**(begins_with or {}), "other": ["*"], "by-hand": ["ben"], "mine": ["*"]}


def test_a_map_that_keeps_changing_is_left_alone(s3: Any) -> None:
    def change() -> None:
        write(s3, {"n": [str(len(changing.actions))]})

    changing = Meanwhile(s3, *[change] * 10)
    with pytest.raises(ApiKeysError, match="kept changing"):
        seed(changing, BUCKET, "mine")
    assert "mine" not in key_map(s3)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"*"', b""])
def test_a_map_that_cannot_be_read_is_not_written_over(s3: Any, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=API_KEYS_KEY, Body=body)
    with pytest.raises(ApiKeysError, match=r"config/api-keys\.json is not"):
        seed(s3, BUCKET, "k1")
    assert s3.get_object(Bucket=BUCKET, Key=API_KEYS_KEY)["Body"].read() == body
