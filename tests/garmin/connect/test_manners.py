import random
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from include.garmin import SourceError, TooManyRequests
from include.garmin.connect.manners import (
    LEAVE_ALONE_S,
    LONGEST_LEAVE_ALONE_S,
    BrokenAnswer,
    Manners,
    response_of,
    retry_after_s,
)


def _answered(status: int, **headers: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError("HTTP error", response=response)


class _Service:
    """Fails as told, then answers; notes when it was asked."""

    def __init__(self, clock: Any, *failures: Exception) -> None:
        self.clock, self.failures, self.asked_at = clock, list(failures), []

    def __call__(self) -> str:
        self.asked_at.append(self.clock())
        if self.failures:
            raise self.failures.pop(0)
        return "good"


def test_requests_are_a_second_apart(manners: Manners, clock: Any) -> None:
    service = _Service(clock)
    for _ in range(4):
        manners.ask(service)
    assert service.asked_at == [0.0, 1.0, 2.0, 3.0]


def test_time_that_passed_anyway_is_not_waited_again(manners: Manners, clock: Any) -> None:
    service = _Service(clock)
    manners.ask(service)
    clock.now_s = 0.75
    manners.ask(service)
    clock.now_s = 10.0
    manners.ask(service)
    assert service.asked_at == [0.0, 1.0, 10.0] and clock.slept == [0.25]


@pytest.mark.parametrize(
    "failure",
    [_answered(500), _answered(502), requests.ConnectionError(), requests.Timeout(), BrokenAnswer(), ConnectionError()],
    ids=repr,
)
def test_what_broke_twice_is_asked_a_third_time_after_growing_pauses(
    manners: Manners, clock: Any, failure: Exception
) -> None:
    service = _Service(clock, failure, failure)
    assert manners.ask(service) == "good"
    first, second, third = service.asked_at
    assert 1.0 <= second - first <= 3.0 and 2.0 <= third - second <= 6.0


def test_pauses_are_jittered(clock: Any) -> None:
    for seed in (1, 2):
        manners = Manners(clock=clock, sleep=clock.sleep, chance=random.Random(seed))
        manners.ask(_Service(clock, _answered(503)))
    assert len(set(clock.slept)) == len(clock.slept)


def test_after_three_tries_it_is_an_error_without_the_request(manners: Manners, clock: Any) -> None:
    service = _Service(clock, *[_answered(500)] * 3)
    with pytest.raises(SourceError, match=r"3 tries \(HTTP 500\)") as caught:
        manners.ask(service)
    assert len(service.asked_at) == 3
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_passed_on_and_not_asked_again(manners: Manners, clock: Any, status: int) -> None:
    service = _Service(clock, _answered(status))
    with pytest.raises(requests.HTTPError):
        manners.ask(service)
    assert len(service.asked_at) == 1


def test_a_fault_of_ours_is_passed_on(manners: Manners, clock: Any) -> None:
    with pytest.raises(KeyError):
        manners.ask(_Service(clock, KeyError("x")))


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({"Retry_After": "17"}, 17.0),
        ({}, LEAVE_ALONE_S),
        ({"Retry_After": "soon"}, LEAVE_ALONE_S),
        ({"Retry_After": "999999"}, LONGEST_LEAVE_ALONE_S),
        ({"Retry_After": "Sun, 01 Mar 2026 10:05:00 GMT", "Date": "Sun, 01 Mar 2026 10:00:00 GMT"}, 300.0),
        ({"Retry_After": "Sun, 01 Mar 2026 10:05:00 GMT"}, LEAVE_ALONE_S),
    ],
)
def test_429_stops_at_once(manners: Manners, clock: Any, headers: dict[str, str], expected_s: float) -> None:
    service = _Service(clock, _answered(429, **headers))
    with pytest.raises(TooManyRequests) as caught:
        manners.ask(service)
    assert caught.value.retry_after_s == expected_s
    assert len(service.asked_at) == 1 and caught.value.__context__ is None


def test_retry_after_of_a_service_out_of_order_is_waited_for(manners: Manners, clock: Any) -> None:
    service = _Service(clock, _answered(503, Retry_After="30"))
    assert manners.ask(service) == "good"
    assert service.asked_at == [0.0, 30.0]


def test_a_long_retry_after_is_left_to_the_next_run(manners: Manners, clock: Any) -> None:
    with pytest.raises(SourceError, match="after 600 s"):
        manners.ask(_Service(clock, _answered(503, Retry_After="600")))
    assert clock.slept == []


def test_the_response_is_found_in_garths_error() -> None:
    class GarthLike(Exception):
        error = _answered(429)

    found = response_of(GarthLike())
    assert found is not None and found.status_code == 429
    assert response_of(ValueError()) is None and response_of(requests.ConnectionError()) is None


@given(st.text(), st.text())
def test_any_retry_after_is_bounded(text: str, moment: str) -> None:
    found = retry_after_s(SimpleNamespace(headers={"Retry-After": text, "Date": moment}))
    assert found is None or 0 <= found <= LONGEST_LEAVE_ALONE_S
