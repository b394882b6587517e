"""How Airflow's REST API is reached: over HTTP on a laptop and in containers, through AWS's API on Amazon MWAA."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Query = Mapping[str, str | int | bool]


class AirflowUnreachable(Exception):
    """Nobody answered for the API, for now: the server is starting or away, and the same request may succeed later."""


class AirflowRefused(Exception):
    """The request never reached the API and will not when it is repeated: no right, no environment, a path too long."""


@dataclass(frozen=True)
class AirflowAnswer:
    """What the API answered.

    `status` is the HTTP status, also where it says that the request was refused; `body` is the parsed JSON, a text
    where it was none, or None where there was no body.
    """

    status: int
    body: Any


class AirflowTransport(Protocol):
    """Carries requests to Airflow's REST API v2; signing in is the transport's own affair."""

    def request(
        self, method: str, path: str, *, params: Query | None = None, json: Mapping[str, Any] | None = None
    ) -> AirflowAnswer:
        """Send one request and return the answer, whatever its status.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: below the API's root, which the transport adds where it is needed: `/dags/NAME`, and not
                `/api/v2/dags/NAME`.
            params: the query.
            json: the body.

        Raises:
            AirflowUnreachable: nobody answered; asking again may help.
            AirflowRefused: asking again cannot help.
        """
