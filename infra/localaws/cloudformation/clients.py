"""boto3 clients of local AWS itself: resources are made as any caller would make them."""

import contextlib
import socket
import threading
import time
from typing import Any

from infra.localaws.cloudformation.handler import ClientFor
from infra.localaws.iam.principals import ADMINISTRATOR_KEY_ID
from infra.localaws.world import Config, World

SERVICE = "cloudformation.amazonaws.com"
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
        self._world = world
        self._clients: dict[tuple[str, str, str | None], Any] = {}
        self._lock = threading.Lock()

    def client_for(self, region: str, role_arn: str | None = None) -> ClientFor:
        """Clients in a region.

        Args:
            role_arn: the service role under which CloudFormation acts; None for the account's administrator.
        """

        def client(service: str) -> Any:
            key = (service, region, role_arn)
            with self._lock:
                if key not in self._clients:
                    self._clients[key] = self._make(service, region, role_arn)
                return self._clients[key]

        return client

    def _make(self, service: str, region: str, role_arn: str | None) -> Any:
        import boto3
        from botocore.config import Config as ClientConfig
        from botocore.session import get_session

        session: Any = get_session()
        session._credentials = self._credentials(role_arn)  # botocore's own way to hand in credentials that renew
        session.set_config_variable("region", region)
        config = ClientConfig(
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        )
        url = self._world.config.url
        return boto3.Session(botocore_session=session).client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]

    def _credentials(self, role_arn: str | None) -> Any:
        from botocore.credentials import Credentials, RefreshableCredentials

        if role_arn is None:
            return Credentials(ADMINISTRATOR_KEY_ID, ADMINISTRATOR_KEY_ID)

        def renew() -> dict[str, str]:
            issued = self._world.guard.service_credentials(role_arn, SERVICE, "AWSCloudFormation")
            return {
                "access_key": issued.access_key_id,
                "secret_key": issued.secret_access_key,
                "token": issued.session_token,
                "expiry_time": issued.expires_at.isoformat(),
            }

        return RefreshableCredentials.create_from_metadata(renew(), renew, "cloudformation-role")
