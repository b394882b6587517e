"""AWS clients, each made once a process, with connections that stay open and waits that fit the time of a request."""

import time
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

ENDPOINT_RUNTIME = "sagemaker-runtime"
CONNECT_TIMEOUT_S = 2.0
ENDPOINT_READ_TIMEOUTS_S = (20, 10, 5)
"""How long an answer of the endpoint is waited for: the longest of these that the request has time for."""
READ_TIMEOUT_S = 4.0
ATTEMPTS = 2
LONGEST_CALL_S = ATTEMPTS * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) + 1
"""A call that is tried as often as it may be, with the pause between."""
TIME_TO_ANSWER_S = 1.0
"""Kept back at the end of the Lambda's time: an answer of ours is better than the gateway's 502."""


class OutOfTime(Exception):
    """What is left of the request's time is too short for another call."""


_deadline: float | None = None


def begin_request(context: Any) -> None:
    """Let the calls from here on fit into the Lambda's remaining time; without a context they are not limited by it."""
    global _deadline  # noqa: PLW0603 - a Lambda process answers one request at a time
    remaining_s = context.get_remaining_time_in_millis() / 1000 - TIME_TO_ANSWER_S if context else None
    _deadline = None if remaining_s is None else time.monotonic() + remaining_s


def client(service: str) -> Any:
    """The client of an AWS service, by boto3's name.

    Within a request the endpoint is asked once only (a second try would wait beyond API Gateway's limit), and every
    other service twice.

    Raises:
        OutOfTime: the request has too little time left for another call.
    """
    if _deadline is None:
        return _made(service, 20, 3)
    left_s = _deadline - time.monotonic()
    if service == ENDPOINT_RUNTIME:
        for read_timeout_s in ENDPOINT_READ_TIMEOUTS_S:
            if CONNECT_TIMEOUT_S + read_timeout_s <= left_s:
                return _made(service, read_timeout_s, 1)
    elif left_s >= LONGEST_CALL_S:
        return _made(service, READ_TIMEOUT_S, ATTEMPTS)
    raise OutOfTime(f"{left_s:.1f} s are left, too little to ask {service}")


@cache
def _made(service: str, read_timeout_s: float, attempts: int) -> Any:
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        tcp_keepalive=True,
        parameter_validation=False,  # our calls are fixed in shape; checking them costs as much as sending them
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]
