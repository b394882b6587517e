"""The Lambda behind the REST API: finds the route, answers, and never shows its inside."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from include.serving import access, browser_page
from include.serving.clients import OutOfTime, begin_request
from include.serving.forecast import MAX_HORIZON_DAYS, endpoint_state, forecast
from include.serving.history import history, model
from include.serving.problem import Problem, Response, out_of_time, respond, unexpected
from include.serving.what_if import what_if

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

Event = Mapping[str, Any]
MAX_WEEKS = MAX_HORIZON_DAYS // 7


def handler(event: Event, context: Any) -> Response:
    """Answer one request of API Gateway (Lambda proxy integration of a REST API)."""
    request_id = str((event.get("requestContext") or {}).get("requestId") or getattr(context, "aws_request_id", ""))
    begin_request(context)
    try:
        route = ROUTES.get((str(event.get("httpMethod")), str(event.get("resource"))))
        if route is None:
            detail = "There is no such route; /openapi.json lists what there is."
            raise Problem(HTTPStatus.NOT_FOUND, "No such route", detail)
        return route(event)
    except Problem as problem:
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("request %s: %s", request_id, problem, exc_info=problem.__cause__)
        return problem.response(request_id)
    except (BotoCoreError, OutOfTime) as error:  # no answer came: unlike a refusal, this passes by itself
        log.warning("request %s: %s", request_id, error, exc_info=error)
        return out_of_time().response(request_id)
    except Exception:
        log.exception("request %s failed", request_id)
        return unexpected(request_id)


def _page(event: Event) -> Response:
    headers = {str(name).lower(): value for name, value in (event.get("headers") or {}).items()}
    return browser_page.response(headers.get("if-none-match"))


def _health(_: Event) -> Response:
    return respond(HTTPStatus.OK, {"status": "ok", "endpoint": endpoint_state()})


def _specification(_: Event) -> Response:
    return respond(HTTPStatus.OK, _specification_document())


@cache
def _specification_document() -> Any:
    """The release writes it beside this module, from openapi.yaml."""
    return json.loads((Path(__file__).parent / "openapi.json").read_text())


def _model(event: Event) -> Response:
    access.readable_athletes(event)
    return respond(HTTPStatus.OK, model())


def _athletes(event: Event) -> Response:
    return respond(HTTPStatus.OK, {"athletes": access.readable_athletes(event)})


def _forecast(event: Event) -> Response:
    athlete_id = access.require_athlete(event)
    return respond(HTTPStatus.OK, forecast(athlete_id, _days(event)))


def _what_if(event: Event) -> Response:
    athlete_id = access.require_athlete(event)
    return respond(HTTPStatus.OK, what_if(athlete_id, _weekly_load(event)))


def _history(event: Event) -> Response:
    athlete_id = access.require_athlete(event)
    first, last = _day(event, "from"), _day(event, "to")
    if first and last and first > last:
        raise _bad("from", f"from ({first}) lies after to ({last}).")
    return respond(HTTPStatus.OK, history(athlete_id, first, last))


ROUTES: dict[tuple[str, str], Callable[[Event], Response]] = {
    ("GET", "/"): _page,
    ("GET", "/health"): _health,
    ("GET", "/openapi.json"): _specification,
    ("GET", "/model"): _model,
    ("GET", "/athletes"): _athletes,
    ("GET", "/athletes/{id}/forecast"): _forecast,
    ("POST", "/athletes/{id}/forecast"): _what_if,
    ("GET", "/athletes/{id}/history"): _history,
}
"""By method and resource, as openapi.yaml has them."""


def _days(event: Event) -> int:
    text = (event.get("queryStringParameters") or {}).get("days")
    if text is None:
        return MAX_HORIZON_DAYS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_HORIZON_DAYS):
        raise _bad("days", f"days must be a whole number from 1 to {MAX_HORIZON_DAYS}, not {text[:40]!r}.")
    return int(text)


def _day(event: Event, field: str) -> date | None:
    text = (event.get("queryStringParameters") or {}).get(field)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _bad(field, f"{field} must be a day such as 2026-01-31, not {text[:40]!r}.") from None


def _weekly_load(event: Event) -> list[float]:
    """The planned loads of a what-if."""
    try:
        body = json.loads(event.get("body") or "")
    except ValueError:
        raise _bad("body", "The body is not JSON.") from None
    if not isinstance(body, dict) or "weekly_load" not in body:
        raise _bad("weekly_load", 'The body must be an object such as {"weekly_load": [300, 320]}.')
    unknown = sorted(set(body) - {"weekly_load"})
    if unknown:
        raise _bad(unknown[0][:40], "The body holds a field that is not known; it takes weekly_load alone.")
    loads = body["weekly_load"]
    if not isinstance(loads, list) or not 1 <= len(loads) <= MAX_WEEKS:
        raise _bad("weekly_load", f"weekly_load must be a list of 1 to {MAX_WEEKS} loads, one for each week ahead.")
    if not all(_is_load(load) for load in loads):
        raise _bad("weekly_load", "Every load must be a number of at least 0.")
    return loads


def _is_load(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _bad(field: str, detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "Bad request", detail, field=field)
