"""The three addresses a user needs: Airflow, the page, and a curl line that works as it stands."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.settings import Settings

Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Addresses:
    """Where the deployment answers, with the API key that reads every athlete."""

    airflow: str
    api: str
    """Without a slash at its end."""
    api_key: str

    @property
    def page(self) -> str:
        """The key stands behind the #: browsers do not send that part."""
        return f"{self.api}/#key={self.api_key}"

    def curl(self, athlete_id: str) -> str:
        return f'curl -H "x-api-key: {self.api_key}" "{self.api}/athletes/{athlete_id}/forecast"'

    def text(self, athlete_id: str) -> str:
        return f"  Airflow   {self.airflow}\n  Page      {self.page}\n  REST      {self.curl(athlete_id)}"


def find_addresses(clients: Clients, settings: Settings, airflow_url: str, aws_url: str) -> Addresses | None:
    """The addresses of the serving stack on local AWS; None while there is no such stack."""
    cloudformation = clients("cloudformation")
    try:
        stack = cloudformation.describe_stacks(StackName=settings.stack("serving"))["Stacks"][0]
    except cloudformation.exceptions.ClientError:
        return None
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    if "ApiKeyId" not in outputs:
        return None
    key = clients("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    api = f"{aws_url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
    return Addresses(airflow_url, api, key)


def keep_addresses(addresses: Addresses, athlete_id: str, path: Path) -> None:
    """Write the addresses to a file that its owner alone can read: the key is in it."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(addresses.text(athlete_id) + "\n")
