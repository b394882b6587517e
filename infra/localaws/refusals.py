"""What local AWS does not do is refused at once, in the protocol of the request: a 400 that names the action.

(A 5xx or HTML would make every SDK try again and again.)
"""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from infra.localaws.world import Environ, StartResponse

log = logging.getLogger("localaws")

_SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([^/]*)/([^/]+)/aws4_request")
_XML_BY_REST = {"s3", "s3control", "cloudfront", "route53"}


@dataclass(frozen=True)
class Asked:
    """Which action of which service a request is about; parts that it does not say are empty."""

    service: str
    action: str
    protocol: str
    """json, rest-json, query, ec2, rest-xml or cbor."""

    @property
    def name(self) -> str:
        return f"{self.service or 'unknown'}:{self.action}" if self.action else self.service or "this request"


def asked(environ: Environ, body: bytes = b"") -> Asked:
    """Read service and action off a request.

    Args:
        body: of a form request (`Action=…`), where it was read already.
    """
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", "") or _presigned_scope(environ))
    service = scope.group(2) if scope else ""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    content_type = environ.get("CONTENT_TYPE", "")
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return Asked(service, environ.get("PATH_INFO", "").rpartition("/")[2], "cbor")
    if target:
        return Asked(service, target.rpartition(".")[2], "json")
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if content_type.startswith("application/x-www-form-urlencoded") or "Action" in query:
        form = parse_qs(body.decode("utf-8", "replace")) or query
        return Asked(service, form.get("Action", [""])[0], "ec2" if service == "ec2" else "query")
    protocol = "rest-xml" if service in _XML_BY_REST else "rest-json"
    return Asked(service, "", protocol)


def _presigned_scope(environ: Environ) -> str:
    credential = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    return f"Credential={credential}" if credential else ""


def with_rest_action(what: Asked, environ: Environ) -> Asked:
    """Find the action of a REST request by method and path in botocore's model; slow, so only for refusals."""
    if what.action or not what.service:
        return what
    action = _rest_action(what.service, environ) or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
    return Asked(what.service, action, what.protocol)


def _rest_action(service: str, environ: Environ) -> str | None:
    from moto.core.request import Request
    from moto.core.routing import get_service_router

    try:
        operation, _ = get_service_router(service).match(Request({**environ, "wsgi.input": None}))
        return str(operation.name)
    except Exception:
        return None  # no such service in botocore, or no such path: method and path name it well enough


def refuse(environ: Environ, start_response: StartResponse, what: Asked) -> Iterable[bytes]:
    """Answer that local AWS lacks an action."""
    what = with_rest_action(what, environ)
    return error(start_response, what, 400, "NotImplemented", f"local AWS does not do {what.name}")


def broke(environ: Environ, start_response: StartResponse, what: Asked, exception: Exception) -> Iterable[bytes]:
    """Answer that an action failed on something unforeseen; a 400, for trying again would not help."""
    what = with_rest_action(what, environ)
    log.warning("%s failed: %s: %s", what.name, type(exception).__name__, exception)
    log.debug("traceback", exc_info=exception)
    message = f"local AWS failed on {what.name}: {type(exception).__name__}: {exception}"
    return error(start_response, what, 400, "InternalFailure", message)


def error(start_response: StartResponse, what: Asked, status: int, code: str, message: str) -> Iterable[bytes]:
    """An error in the protocol of the request."""
    headers, body = _SHAPES[what.protocol](code, message)
    sent = [*headers, ("Content-Length", str(len(body))), ("x-amzn-RequestId", "local")]
    start_response(f"{status} {HTTPStatus(status).phrase}", sent)
    return [body]


_DENIAL_CODES = {"query": "AccessDenied", "ec2": "UnauthorizedOperation", "rest-xml": "AccessDenied"}
_UNKNOWN_KEY_CODES = {"rest-xml": "InvalidAccessKeyId", "query": "InvalidClientTokenId", "ec2": "AuthFailure"}


def denial_code(environ: Environ, what: Asked, code: str) -> str:
    """How a service calls a refusal of IAM: most say AccessDeniedException, the older ones AccessDenied."""
    if code == "InvalidClientTokenId":
        return _UNKNOWN_KEY_CODES.get(what.protocol, "UnrecognizedClientException")
    if code != "AccessDenied":
        return code
    if environ["PATH_INFO"].startswith("/FeatureGroup/"):
        return "AccessForbidden"
    return _DENIAL_CODES.get(what.protocol, "AccessDeniedException")


Shaped = tuple[list[tuple[str, str]], bytes]


def _json(code: str, message: str) -> Shaped:
    return [("Content-Type", "application/x-amz-json-1.1")], json.dumps({"__type": code, "message": message}).encode()


def _rest_json(code: str, message: str) -> Shaped:
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
    return headers, json.dumps({"code": code, "message": message}).encode()


def _query(code: str, message: str) -> Shaped:
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return [
        ("Content-Type", "text/xml")
    ], f"<ErrorResponse>{inner}<RequestId>local</RequestId></ErrorResponse>".encode()


def _ec2(code: str, message: str) -> Shaped:
    inner = f"<Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
    return [("Content-Type", "text/xml")], f"<Response>{inner}<RequestID>local</RequestID></Response>".encode()


def _rest_xml(code: str, message: str) -> Shaped:
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message><RequestId>local</RequestId>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return [("Content-Type", "application/xml")], text.encode()


def _cbor(code: str, message: str) -> Shaped:
    body = b"\xa2" + _cbor_text("__type") + _cbor_text(code) + _cbor_text("message") + _cbor_text(message)
    return [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body


def _cbor_text(text: str) -> bytes:
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data


_SHAPES: dict[str, Any] = {
    "json": _json,
    "rest-json": _rest_json,
    "query": _query,
    "ec2": _ec2,
    "rest-xml": _rest_xml,
    "cbor": _cbor,
}
