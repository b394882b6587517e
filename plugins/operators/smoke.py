"""Asks the deployed API for a forecast, as a user would."""

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from plugins.operators.airflow_sdk import AirflowFailException

if TYPE_CHECKING:
    import httpx

    from include.settings import Settings

NO_FORECAST = (404, 409)
"""What the API answers for athletes without readings: the next one is asked."""
REQUEST_TIMEOUT_S = 35
"""API Gateway answers within 29 s."""
PATIENCE_S = 480
"""A serverless endpoint pulls its image and imports its libraries before its first answer."""
PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0


class SmokeTestFailed(AirflowFailException):
    """The API did not answer with a forecast, and time will not mend that: the task is not tried again."""


def api_root(outputs: Mapping[str, str], aws_endpoint_url: str | None) -> str:
    """Address of the API, without a slash at its end; on local AWS it is below that server's own address."""
    if aws_endpoint_url:
        return f"{aws_endpoint_url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
    return outputs["ApiUrl"].rstrip("/")


def first_forecast(
    s3: Any,
    apigateway: Any,
    settings: "Settings",
    outputs: Mapping[str, str],
    *,
    patience_s: float = PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Ask for the athletes one after another until one has a forecast; says whose, and what answered.

    Where the API says Retry-After (throttled, starting, waking, a Lambda that ended) it is asked again then, for at
    most `patience_s` seconds in all.

    Raises:
        SmokeTestFailed: the API answers wrongly, or for no athlete.
    """
    import httpx

    from include.garmin.registry import read_registry

    athletes = [athlete.athlete_id for athlete in read_registry(s3, settings.bucket)]
    key = apigateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    root = api_root(outputs, os.environ.get("AWS_ENDPOINT_URL"))
    deadline = time.monotonic() + patience_s
    with httpx.Client(headers={"x-api-key": key}, timeout=REQUEST_TIMEOUT_S) as http:
        for athlete_id in athletes:
            reply = _settled_reply(http, f"{root}/athletes/{athlete_id}/forecast", deadline, sleep)
            if reply.status_code in NO_FORECAST:
                continue
            if reply.status_code != httpx.codes.OK or not reply.json().get("days"):
                raise SmokeTestFailed(f"{athlete_id}: the API answered {reply.status_code}: {reply.text[:500]}")
            return f"{athlete_id}: {len(reply.json()['days'])} days, model {reply.json()['model']}"
    raise SmokeTestFailed(f"no forecast for any of {len(athletes)} athletes")


def _settled_reply(http: "httpx.Client", url: str, deadline: float, sleep: Callable[[float], None]) -> "httpx.Response":
    """The first reply that does not ask to come again later, or the last one before the deadline.

    Raises:
        SmokeTestFailed: nobody answered at all until the deadline.
    """
    import httpx

    while True:
        try:
            reply = http.get(url)
            if "Retry-After" not in reply.headers:
                return reply
            pause_s, unanswered = _retry_after_s(reply), None
        except httpx.TransportError as error:
            pause_s, unanswered = PAUSE_S, error
        if time.monotonic() + pause_s > deadline:
            if unanswered is not None:
                raise SmokeTestFailed(f"{url}: nobody answered: {unanswered}") from unanswered
            return reply
        sleep(pause_s)


def _retry_after_s(reply: "httpx.Response") -> float:
    """The seconds that the API asks to wait, within reason."""
    text = reply.headers["Retry-After"]
    return min(max(float(text), 1.0), LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else PAUSE_S
