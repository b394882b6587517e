"""Asks the deployed API for a forecast, as a user would."""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.settings import Settings

NO_FORECAST = (404, 409)
"""What the API answers for athletes without readings: the next one is asked."""
TIMEOUT_S = 30


class SmokeTestFailed(Exception):
    """The API did not answer with a forecast."""


def api_root(outputs: Mapping[str, str], aws_endpoint_url: str | None) -> str:
    """Address of the API, without a slash at its end; on local AWS it is below that server's own address."""
    if aws_endpoint_url:
        return f"{aws_endpoint_url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
    return outputs["ApiUrl"].rstrip("/")


def first_forecast(s3: Any, apigateway: Any, settings: "Settings", outputs: Mapping[str, str]) -> str:
    """Ask for the athletes one after another until one has a forecast; says whose, and what answered.

    Raises:
        SmokeTestFailed: the API answers wrongly, or for no athlete.
    """
    import httpx

    from include.lake import ATHLETES_KEY

    athletes = json.loads(s3.get_object(Bucket=settings.bucket, Key=ATHLETES_KEY)["Body"].read())["athletes"]
    key = apigateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    root = api_root(outputs, os.environ.get("AWS_ENDPOINT_URL"))
    for athlete in athletes:
        reply = httpx.get(f"{root}/athletes/{athlete}/forecast", headers={"x-api-key": key}, timeout=TIMEOUT_S)
        if reply.status_code in NO_FORECAST:
            continue
        if reply.status_code != httpx.codes.OK or not reply.json().get("days"):
            raise SmokeTestFailed(f"{athlete}: the API answered {reply.status_code}: {reply.text[:500]}")
        return f"{athlete}: {len(reply.json()['days'])} days, model {reply.json()['model']}"
    raise SmokeTestFailed(f"no forecast for any of {len(athletes)} athletes")
