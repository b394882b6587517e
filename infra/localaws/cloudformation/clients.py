"""boto3 clients of local AWS itself: resources are made as any caller would make them."""

import contextlib
import socket
import threading
import time
from typing import Any

from infra.localaws.cloudformation.handler import ClientFor
from infra.localaws.world import Config, World

CONNECT_S = 5
ANSWER_S = 900


def wait_until_served(config: Config, longest_s: float = 30.0) -> None:
    """Wait for local AWS to listen: state is restored before it does."""
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((config.host, config.port), timeout=1):
            return
        time.sleep(0.1)


class Clients:
    """Clients by service, region and identity, made on first use (making one is slow and not thread-safe)."""

    def __init__(self, world: World) -> None:
        self._url = world.config.url
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client_for(self, region: str, role_arn: str | None = None) -> ClientFor:  # noqa: ARG002 - see below
        """Clients in a region.

        Args:
            role_arn: the service role of a stack; None for the caller's own rights. No identity is checked yet, so it
                changes nothing.
        """

        def client(service: str) -> Any:
            with self._lock:
                if (service, region) not in self._clients:
                    self._clients[service, region] = self._make(service, region)
                return self._clients[service, region]

        return client

    def _make(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config as ClientConfig

        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=region)  # noqa: S106
        config = ClientConfig(
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        )
        return session.client(service, endpoint_url=self._url, config=config)  # type: ignore[call-overload]
