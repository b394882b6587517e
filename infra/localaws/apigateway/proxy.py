"""Lambda proxy integration: the event a function gets (format 1.0), and the answer it gives."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.localaws.apigateway.errors import INTEGRATION_FAILURE, GatewayError
from infra.localaws.apigateway.request import Request
from infra.localaws.apigateway.snapshot import MethodSnapshot

_ANSWER_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_NO_IDENTITY = (
    "cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId", "accessKey",
    "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request on its way to a function."""

    request: Request
    method: MethodSnapshot
    path_parameters: Mapping[str, str]
    stage_variables: Mapping[str, str]
    account_id: str
    deployment_id: str
    request_id: str
    api_key: Any
    """moto's `ApiKey`, or None where the method needs none."""


def event(call: Call, body: bytes, *, binary: bool) -> dict[str, Any]:
    """The proxy event, as AWS sends it."""
    request = call.request
    headers = _headers(call)
    query = request.query
    return {
        "resource": call.method.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(call.path_parameters) or None,
        "stageVariables": dict(call.stage_variables) or None,
        "requestContext": _context(call),
        "body": _body(body, binary=binary),
        "isBase64Encoded": binary and bool(body),
    }


def _headers(call: Call) -> dict[str, str]:
    environ = call.request.environ
    headers = dict(call.request.headers)
    headers.pop("Content-Length", None)
    headers.pop("Connection", None)
    forwarded = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{forwarded}, {call.request.source_ip}" if forwarded else call.request.source_ip
    headers["X-Forwarded-Port"] = str(environ.get("SERVER_PORT", ""))
    headers["X-Forwarded-Proto"] = str(environ.get("wsgi.url_scheme", "http"))
    headers.setdefault("X-Amzn-Trace-Id", f"Root=1-{int(time.time()):08x}-{call.request_id.replace('-', '')[:24]}")
    return headers


def _context(call: Call) -> dict[str, Any]:
    request, now = call.request, datetime.now(UTC)
    host = request.lower_headers.get("host", "")
    key = call.api_key
    identity: dict[str, Any] = dict.fromkeys(_NO_IDENTITY)
    identity["sourceIp"] = request.source_ip
    identity["userAgent"] = request.lower_headers.get("user-agent")
    identity["apiKey"] = key.value if key is not None else None
    identity["apiKeyId"] = key.id if key is not None else None
    context = {
        "resourceId": call.method.resource_id,
        "resourcePath": call.method.path,
        "httpMethod": request.method,
        "extendedRequestId": call.request_id.replace("-", "")[:15] + "=",
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "path": request.full_path,
        "accountId": call.account_id,
        "protocol": str(request.environ.get("SERVER_PROTOCOL", "HTTP/1.1")),
        "stage": request.stage,
        "domainPrefix": host.split(".")[0].split(":")[0],
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "requestId": call.request_id,
        "identity": identity,
        "domainName": host.split(":")[0],
        "deploymentId": call.deployment_id,
        "apiId": request.api_id,
    }
    if call.method.operation_name:
        context["operationName"] = call.method.operation_name
    return context


def _body(body: bytes, *, binary: bool) -> str | None:
    if not body:
        return None
    return base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer(payload: bytes, *, decode: bool) -> Answer:
    """Read a function's answer; `decode` says that the client takes binary. GatewayError where it is malformed."""
    try:
        result = json.loads(payload)
    except ValueError as e:
        raise GatewayError(INTEGRATION_FAILURE) from e
    if not isinstance(result, dict) or not _ANSWER_KEYS.issuperset(result):
        raise GatewayError(INTEGRATION_FAILURE)
    body = result.get("body")
    if body is not None and not isinstance(body, str):
        raise GatewayError(INTEGRATION_FAILURE)
    encoded = (body or "").encode()
    if result.get("isBase64Encoded") and decode:
        try:
            encoded = base64.b64decode(encoded, validate=True)
        except ValueError as e:
            raise GatewayError(INTEGRATION_FAILURE) from e
    headers = _answer_headers(result)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return Answer(_status(result.get("statusCode")), headers, encoded)


def _status(value: Any) -> int:
    try:
        status = int(value) if not isinstance(value, bool) else 0
    except (TypeError, ValueError) as e:
        raise GatewayError(INTEGRATION_FAILURE) from e
    if not 200 <= status <= 599:
        raise GatewayError(INTEGRATION_FAILURE)
    return status


def _answer_headers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`headers` and `multiValueHeaders` together; of one pair in both, once."""
    single, multiple = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        raise GatewayError(INTEGRATION_FAILURE)
    pairs = [(name, value) for name, values in multiple.items() for value in values or []]
    pairs += [(n, v) for n, v in single.items() if v is not None and (n, v) not in pairs]
    headers = [(str(name), _header_value(value)) for name, value in pairs]
    if any("\r" in text or "\n" in text for pair in headers for text in pair):
        raise GatewayError(INTEGRATION_FAILURE)
    return [(n, v) for n, v in headers if n.lower() not in {"content-length", "transfer-encoding", "connection"}]


def _header_value(value: Any) -> str:
    if isinstance(value, dict | list):
        raise GatewayError(INTEGRATION_FAILURE)
    return str(value).lower() if isinstance(value, bool) else str(value)
