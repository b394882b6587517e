"""The three addresses a user needs: Airflow, the page, and a curl line that works as it stands."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from include.deploy.stack import find_stack
from include.settings import Settings

Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Addresses:
    """Where the deployment answers, with the API key that reads every athlete."""

    airflow: str
    api: str
    """Without a slash at its end."""
    api_key: str
    api_key_id: str = ""

    @property
    def page(self) -> str:
        """The key stands behind the #: browsers do not send that part."""
        return f"{self.api}/#key={self.api_key}"

    def curl(self, athlete_id: str) -> str:
        return f'curl -H "x-api-key: {self.api_key}" "{self.api}/athletes/{athlete_id}/forecast"'

    def text(self, athlete_id: str) -> str:
        """The three lines that a person needs."""
        return f"  Airflow   {self.airflow}\n  Page      {self.page}\n  REST      {self.curl(athlete_id)}"


@dataclass(frozen=True)
class Urls:
    """Where Airflow and AWS are reached, from one point of the network."""

    airflow: str
    aws: str | None
    """Local AWS; None for AWS itself, whose API Gateway has a name for each API."""


def find_addresses(clients: Clients, settings: Settings, urls: Urls) -> Addresses | None:
    """The addresses of the serving stack; None while there is no such stack."""
    cloudformation = clients("cloudformation")
    stack = find_stack(cloudformation, settings.stack("serving"))
    outputs = {item["OutputKey"]: item["OutputValue"] for item in (stack or {}).get("Outputs", [])}
    if "ApiKeyId" not in outputs:
        return None
    key = clients("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    if urls.aws is None:
        return Addresses(urls.airflow, outputs["ApiUrl"].rstrip("/"), key, outputs["ApiKeyId"])
    api = f"{urls.aws}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
    return Addresses(urls.airflow, api, key, outputs["ApiKeyId"])


def for_a_log(addresses: Addresses) -> Addresses:
    """The addresses with a command in the place of the key, which is a secret where the API is open to the internet."""
    command = (
        f"$(aws apigateway get-api-key --include-value --query value --output text --api-key {addresses.api_key_id})"
    )
    return replace(addresses, api_key=command)


def keep_addresses(addresses: Addresses, athlete_id: str, path: Path) -> None:
    """Write the addresses to a file that its owner alone can read: the key is in it."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(addresses.text(athlete_id) + "\n")
