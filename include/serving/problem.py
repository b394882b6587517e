"""Answers of the REST API: JSON, and problems in the form of RFC 9457."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

Response = dict[str, Any]

RETRY_AFTER_S = 30
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Problem(Exception):
    """Ends a request with an error that its caller can act on: what is wrong, and what to do."""

    def __init__(
        self, status: int, title: str, detail: str, *, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail, self.field, self.retry_after_s = (
            status,
            title,
            detail,
            field,
            retry_after_s,
        )

    def response(self, request_id: str) -> Response:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.field:
            document["field"] = self.field
        headers = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}
        return respond(self.status, document, content_type="application/problem+json", headers=headers)


def respond(
    status: int, document: Any, *, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Response:
    """What API Gateway sends on: `document` as JSON."""
    return {
        "statusCode": status,
        "headers": {**HEADERS, "Content-Type": content_type, **(headers or {})},
        "body": json.dumps(document, separators=(",", ":"), allow_nan=False),
    }


def no_data(athlete_id: str) -> Problem:
    """Nothing came in for an athlete who is known."""
    detail = (
        f"No data of athlete {athlete_id!r} came in yet. Run the DAG garmin_ingest for this athlete, then try again."
    )
    return Problem(HTTPStatus.NOT_FOUND, "No data yet", detail)


def unavailable(title: str, detail: str, retry_after_s: int = RETRY_AFTER_S) -> Problem:
    """Something behind the API is not there now and may be in `retry_after_s` seconds."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, title, f"{detail} Try again in {retry_after_s} s.", retry_after_s=retry_after_s
    )


def out_of_time() -> Problem:
    """A service behind the API did not answer while the request had time."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too slow",
        "A service behind the API did not answer in time. Try again in 10 s.",
        retry_after_s=10,
    )


def unexpected(request_id: str) -> Response:
    """The answer to a failure of ours: it says nothing of the inside."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The API failed",
        "The request could not be answered. Try again; if it stays, look up the request id in the logs.",
    ).response(request_id)
