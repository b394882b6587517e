"""Errors of the gateway itself, and the gateway responses that give them their form."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.localaws.apigateway.snapshot import GatewayResponse


@dataclass(frozen=True)
class Kind:
    """One of API Gateway's response types."""

    name: str
    status: int
    message: str
    error_type: str


MISSING_TOKEN = Kind(
    "MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token", "MissingAuthenticationTokenException"
)
INVALID_API_KEY = Kind("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")
UNAUTHORIZED = Kind("UNAUTHORIZED", 401, "Unauthorized", "UnauthorizedException")
THROTTLED = Kind("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")
QUOTA_EXCEEDED = Kind("QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException")
BAD_BODY = Kind("BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException")
BAD_PARAMETERS = Kind("BAD_REQUEST_PARAMETERS", 400, "Missing required request parameters", "BadRequestException")
TOO_LARGE = Kind("REQUEST_TOO_LARGE", 413, "Request Entity Too Large", "RequestEntityTooLargeException")
INTEGRATION_FAILURE = Kind("INTEGRATION_FAILURE", 502, "Internal server error", "InternalServerErrorException")
INTEGRATION_TIMEOUT = Kind("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", "InternalServerErrorException")
CONFIGURATION = Kind("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")


class GatewayError(Exception):
    """A request that the gateway answers itself."""

    def __init__(self, kind: Kind, message: str | None = None, validation: str = "") -> None:
        super().__init__(message or kind.message)
        self.kind = kind
        self.message = message or kind.message
        self.validation = validation


@dataclass(frozen=True)
class Rendered:
    """An error as it goes out."""

    status: int
    headers: dict[str, str]
    body: bytes


def render(
    error: GatewayError, responses: Mapping[str, GatewayResponse], context: Mapping[str, str], accept: str
) -> Rendered:
    """The answer for an error: the API's own gateway response for it, that for its class, or API Gateway's."""
    kind = error.kind
    default = "DEFAULT_5XX" if kind.status >= 500 else "DEFAULT_4XX"
    own = responses.get(kind.name) or responses.get(default)
    variables = {
        **context,
        "error.message": error.message,
        "error.messageString": json.dumps(error.message),
        "error.validationErrorString": json.dumps(error.validation)[1:-1],
        "error.responseType": kind.name,
    }
    headers = {"x-amzn-ErrorType": kind.error_type, "Content-Type": "application/json"}
    if own is None:
        return Rendered(kind.status, headers, json.dumps({"message": error.message}).encode())
    template = '{"message":$context.error.messageString}'
    if own.templates:
        content_type, template = _template(own.templates, accept)
        headers["Content-Type"] = content_type
    for name, value in own.headers.items():
        if value.startswith("'") and value.endswith("'"):
            headers = {k: v for k, v in headers.items() if k.lower() != name.lower()} | {name: value[1:-1]}
        elif value.startswith("context."):
            headers[name] = variables.get(value.removeprefix("context."), "")
    return Rendered(own.status or kind.status, headers, _fill(template, variables).encode())


def _template(templates: Mapping[str, str], accept: str) -> tuple[str, str]:
    wanted = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    for content_type in [*wanted, "application/json"]:
        if content_type in templates:
            return content_type, templates[content_type]
    return next(iter(templates.items()))


def _fill(template: str, variables: Mapping[str, str]) -> str:
    """Gateway responses know variables alone: no loops, no conditions."""
    return re.sub(r"\$\{?context\.([A-Za-z]+(?:\.[A-Za-z]+)*)\}?", lambda match: variables.get(match[1], ""), template)
