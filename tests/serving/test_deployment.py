"""The documents that configure the API: the Lambda reads them as the rest of the project writes them."""

import io
import json
from typing import Any

import pytest

from include import lake
from include.garmin.registry import RegistryError, parse_registry
from include.serving import access, api, deployment
from include.serving.problem import Problem
from tests.serving.conftest import FakeAws

ATHLETE_LISTS: list[Any] = [
    {"athletes": []},
    {"athletes": ["anna", "ben"]},
    {"athletes": ["anna", {"athlete_id": "me", "source": "garminconnect"}]},
    {"athletes": [{"athlete_id": "me"}]},
]
BROKEN_ATHLETE_LISTS: list[Any] = [
    {},
    [],
    "anna",
    {"athletes": "anna"},
    {"athletes": [1]},
    {"athletes": [""]},
    {"athletes": [{"source": "garminconnect"}]},
    {"athletes": [{"athlete_id": None}]},
]


def stored(aws: FakeAws, key: str, body: bytes) -> None:
    """Answer one document with these bytes, all others as before."""
    before = aws.answers["s3.get_object"]
    aws.answers["s3.get_object"] = lambda r: {"Body": io.BytesIO(body)} if r["Key"] == key else before(r)


def event(key_id: str) -> dict[str, Any]:
    return {
        "resource": "/athletes",
        "httpMethod": "GET",
        "requestContext": {"requestId": "r", "identity": {"apiKeyId": key_id}},
    }


def test_the_lambda_reads_the_keys_that_the_rest_writes() -> None:
    assert (deployment.ATHLETES_KEY, deployment.API_KEYS_KEY) == (lake.ATHLETES_KEY, lake.API_KEYS_KEY)


@pytest.mark.parametrize("document", ATHLETE_LISTS)
def test_both_readers_find_the_same_athletes(document: Any) -> None:
    registry = [athlete.athlete_id for athlete in parse_registry(json.dumps(document).encode())]
    assert deployment.parse_athletes(document) == registry


@pytest.mark.parametrize("document", BROKEN_ATHLETE_LISTS)
def test_both_readers_refuse_the_same_lists(document: Any) -> None:
    with pytest.raises(RegistryError):
        parse_registry(json.dumps(document).encode())
    with pytest.raises(ValueError, match=r"form|names no athlete"):
        deployment.parse_athletes(document)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"*"',
        b'["*"]',
        b'{"all": "*"}',
        b'{"all": {"*": 1}}',
        b'{"all": ["*"], "other": null}',
        b'{"all": [1]}',
        b'{"all": [""]}',
        b"\xff\xfe",
    ],
)
def test_a_broken_key_map_is_a_failure_that_the_log_explains_and_lets_nobody_in(
    aws: FakeAws, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    stored(aws, lake.API_KEYS_KEY, body)
    answer = api.handler(event("all"), None)
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["title"] == "The API is not configured"
    assert "athletes" not in answer["body"]
    assert lake.API_KEYS_KEY in caplog.text


def test_a_key_map_without_end_is_not_read(aws: FakeAws) -> None:
    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0, "read to its end"
            self.sent += size
            return b" " * size

    body = Endless()
    aws.answers["s3.get_object"] = lambda _: {"Body": body}
    with pytest.raises(Problem, match="not configured"):
        access.readable_athletes(event("all"))
    assert body.sent == deployment.CONFIG_MAX_BYTES + 1


def test_without_a_key_map_no_key_reads_anybody(aws: FakeAws) -> None:
    from tests.serving.conftest import client_error

    before = aws.answers["s3.get_object"]
    aws.answers["s3.get_object"] = lambda r: client_error("NoSuchKey") if r["Key"] == lake.API_KEYS_KEY else before(r)
    assert api.handler(event("all"), None)["statusCode"] == 403


def test_the_served_endpoints_name_comes_before_the_environments(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deployment.endpoint_name() == "ff-vo2max"
    monkeypatch.setattr(deployment, "serving", lambda: {"endpoint_name": "ff-vo2max-serverless"})
    assert deployment.endpoint_name() == "ff-vo2max-serverless"
    monkeypatch.setattr(deployment, "serving", lambda: None)
    assert deployment.endpoint_name() == "ff-vo2max"
