"""Airflow's REST API over HTTP, signed in as Airflow's simple auth manager wants it: on a laptop and in containers."""

from collections.abc import Mapping
from typing import Any

import httpx

from infra.deployment.airflow_api import AirflowApi
from infra.deployment.airflow_transport import AirflowAnswer, AirflowUnreachable, Query

ROOT_PATH = "/api/v2"
TIMEOUT_S = 10.0


class HttpTransport:
    """Carries requests to an API server that listens at `url`; a token that it no longer takes is replaced."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S)

    def request(
        self, method: str, path: str, *, params: Query | None = None, json: Mapping[str, Any] | None = None
    ) -> AirflowAnswer:
        """Send one request; the server's health is told to anybody and asked for without a token.

        Raises:
            AirflowUnreachable: nobody answered, or the server gave no token.
        """
        try:
            if not path.startswith("/monitor/") and "Authorization" not in self._client.headers:
                self._sign_in()
            answer = self._client.request(method, f"{ROOT_PATH}{path}", params=params, json=json)
        except httpx.HTTPError as error:
            raise AirflowUnreachable(
                f"Airflow's API server at {self._client.base_url} does not answer: {error}"
            ) from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._client.headers.pop("Authorization", None)
            raise AirflowUnreachable("Airflow's API server took the token no longer")
        return AirflowAnswer(answer.status_code, _body(answer))

    def _sign_in(self) -> None:
        answer = self._client.get("/auth/token")
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def airflow_at(url: str, patience_s: float = 90) -> AirflowApi:
    """A client of the Airflow that listens at `url`; `patience_s` is how long a server that is away is asked again."""
    return AirflowApi(HttpTransport(url), patience_s)


def _body(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        return answer.text
