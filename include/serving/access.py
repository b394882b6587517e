"""Which athletes a request may read, by its API key."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from include.serving import deployment
from include.serving.problem import Problem

ALL = "*"


def readable_athletes(event: Mapping[str, Any]) -> list[str]:
    """The athletes of the request's key, in the order of the deployment's list.

    Raises:
        Problem: 403, the key reads nobody.
    """
    allowed = _allowed(event)
    everyone = deployment.athletes()
    return everyone if ALL in allowed else [athlete for athlete in everyone if athlete in allowed]


def require_athlete(event: Mapping[str, Any]) -> str:
    """The athlete that the path names.

    Raises:
        Problem: 403 where the key does not read that athlete, 404 where there is no such athlete.
    """
    athlete_id = str((event.get("pathParameters") or {}).get("id") or "")
    allowed = _allowed(event)
    if ALL not in allowed and athlete_id not in allowed:
        raise Problem(HTTPStatus.FORBIDDEN, "Not your athlete", f"This API key does not read athlete {athlete_id!r}.")
    if athlete_id not in deployment.athletes() and athlete_id not in deployment.athletes(deployment.RELOAD_AGE_S):
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "No such athlete",
            f"There is no athlete {athlete_id!r}; GET /athletes lists those that this key reads.",
            field="id",
        )
    return athlete_id


def _allowed(event: Mapping[str, Any]) -> list[str]:
    identity = (event.get("requestContext") or {}).get("identity") or {}
    key_id = identity.get("apiKeyId") or ""
    allowed = deployment.athletes_by_key().get(key_id)
    if allowed is None:
        allowed = deployment.athletes_by_key(deployment.RELOAD_AGE_S).get(key_id)
    if not allowed:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "This key reads nobody",
            f"No athletes are given to this API key: add its id to {deployment.API_KEYS_KEY} in the bucket.",
        )
    return allowed
