"""InvokeFunction over HTTP, ahead of moto: the path that has to be fast."""

import base64
import json
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from infra.localaws.lambdas.result import InvokeError, InvokeResult
from infra.localaws.lambdas.service import find, invoke_record
from infra.localaws.world import Environ, StartResponse, WsgiApp

_PREFIX = "/2015-03-31/functions/"
_SUFFIX = "/invocations"
_REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 400: "Bad Request", 404: "Not Found"}


def is_invocation(environ: Environ) -> bool:
    path: str = environ["PATH_INFO"]
    return path.startswith(_PREFIX) and path.rstrip("/").endswith(_SUFFIX) and environ["REQUEST_METHOD"] == "POST"


def make_app() -> WsgiApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        try:
            result = _invoke(environ)
            body, headers = result.payload, _headers(environ, result)
            status = result.status_code
        except InvokeError as e:
            status = e.status
            body = json.dumps({"Type": "User" if status < 500 else "Service", "Message": e.message}).encode()
            headers = [("x-amzn-ErrorType", e.code)]
        headers += [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", request_id),
        ]
        start_response(f"{status} {_REASONS.get(status, 'Error')}", headers)
        return [body]

    return app


def _invoke(environ: Environ) -> InvokeResult:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    payload = environ["wsgi.input"].read(length) if length else b""
    name = unquote(environ["PATH_INFO"].rstrip("/")[len(_PREFIX) : -len(_SUFFIX)])
    qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", [None])[0]
    record = find(name, qualifier)
    kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
    if kind == "DryRun":
        return InvokeResult(204, b"")
    if kind not in {"RequestResponse", "Event"}:
        raise InvokeError("InvalidParameterValueException", f"Unknown invocation type: {kind}", 400)
    context = _client_context(environ.get("HTTP_X_AMZ_CLIENT_CONTEXT"))
    return invoke_record(record, payload, asynchronous=kind == "Event", client_context=context)


def _client_context(header: str | None) -> Any:
    if not header:
        return None
    try:
        return json.loads(base64.b64decode(header))
    except ValueError as e:
        raise InvokeError("InvalidRequestContentException", f"Client context is not valid: {e}", 400) from e


def _headers(environ: Environ, result: InvokeResult) -> list[tuple[str, str]]:
    headers = []
    if result.status_code == 200:
        headers.append(("X-Amz-Executed-Version", result.version))
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            headers.append(("X-Amz-Log-Result", base64.b64encode(result.log_tail.encode()).decode()))
    if result.function_error:
        headers.append(("X-Amz-Function-Error", result.function_error))
    return headers
