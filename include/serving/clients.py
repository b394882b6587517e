"""AWS clients, each made once a process, with connections that stay open."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

CONFIG = Config(
    connect_timeout=2,
    read_timeout=20,
    retries={"total_max_attempts": 3, "mode": "standard"},
    tcp_keepalive=True,
    parameter_validation=False,  # our calls are fixed in shape; checking them costs as much as sending them
)


@cache
def client(service: str) -> Any:
    """The client of an AWS service, by boto3's name."""
    return boto3.client(service, config=CONFIG)  # type: ignore[call-overload]
