"""How long the API waits for what it asks: always within the time of the request."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from include.serving import api, clients
from tests.serving.conftest import FakeAws

LAMBDA_S = 25
GATEWAY_S = 29
"""API Gateway waits no longer for an integration."""
LAMBDA_INIT_S = 2


class Context:
    """What Lambda says of its remaining time."""

    def __init__(self, remaining_s: float) -> None:
        self.remaining_s = remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_s * 1000)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients._made.cache_clear()
    yield
    clients.begin_request(None)
    clients._made.cache_clear()


def limits(service: str) -> tuple[float, float, int]:
    config = clients.client(service).meta.config
    return config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]


def test_the_endpoint_is_asked_once_and_answers_or_not_within_the_gateways_limit() -> None:
    clients.begin_request(Context(LAMBDA_S))
    connect_s, read_s, attempts = limits("sagemaker-runtime")
    assert (read_s, attempts) == (20, 1)
    assert LAMBDA_INIT_S + connect_s + read_s < GATEWAY_S
    assert connect_s + read_s <= LAMBDA_S - clients.TIME_TO_ANSWER_S


@pytest.mark.parametrize("service", ["s3", "ssm", "sagemaker", "sagemaker-featurestore-runtime"])
def test_every_other_service_is_tried_again_within_the_time(service: str) -> None:
    clients.begin_request(Context(LAMBDA_S))
    connect_s, read_s, attempts = limits(service)
    assert attempts == 2
    assert attempts * (connect_s + read_s) < clients.LONGEST_CALL_S < LAMBDA_S - clients.TIME_TO_ANSWER_S


@pytest.mark.parametrize(("left_s", "read_s"), [(24, 20), (14, 10), (9, 5)])
def test_the_endpoint_is_waited_for_as_long_as_time_is_left(left_s: float, read_s: float) -> None:
    clients.begin_request(Context(left_s))
    assert limits("sagemaker-runtime")[1] == read_s


@pytest.mark.parametrize(("service", "left_s"), [("sagemaker-runtime", 7), ("s3", 13)])
def test_no_call_is_begun_that_could_outlive_the_lambda(service: str, left_s: float) -> None:
    clients.begin_request(Context(left_s))
    with pytest.raises(clients.OutOfTime, match=service):
        clients.client(service)


def test_outside_a_request_calls_have_all_their_tries() -> None:
    clients.begin_request(None)
    assert limits("cloudformation")[2] == 3


def test_a_request_without_time_is_503_with_retry_after(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.serving import deployment

    monkeypatch.setattr(deployment, "client", clients.client)
    event = {"resource": "/athletes", "httpMethod": "GET", "requestContext": {"identity": {"apiKeyId": "all"}}}
    answer = api.handler(event, Context(3))
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["Retry-After"]) > 0


@pytest.fixture
def silent() -> Iterator[tuple[str, list[Any]]]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[Any] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
        for connection in taken:
            connection.close()


def test_an_endpoint_that_hangs_is_given_up_at_once(
    silent: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taken = silent
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setattr(clients, "ENDPOINT_READ_TIMEOUTS_S", (1,))
    clients.begin_request(Context(LAMBDA_S))
    started = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        clients.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"{}")
    assert time.monotonic() - started < 2
    assert len(taken) == 1
