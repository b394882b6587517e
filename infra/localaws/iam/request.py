"""Which operation of which service a request asks for, and with which parameters; the body stays readable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from infra.localaws.refusals import asked
from infra.localaws.world import Environ

BODY_MAX_BYTES = 128 * 1024 * 1024
"""Limit of a request that is not for S3 (a Lambda zip in base64 is the largest)."""
_NAMES = {"monitoring": "cloudwatch"}
"""IAM's name of a service where the signature's differs."""
_BOTO_NAMES = {"apigateway": "apigateway", "lambda": "lambda", "s3": "s3"}
"""Services whose operation is found by method and path, with botocore's name of them."""
_S3_DELETE_MAX_BYTES = 2 * 1024 * 1024


class BodyTooLarge(Exception):
    """A body that no operation of this kind may have: it is refused, and never read in part."""

    def __init__(self, limit_bytes: int, code: str = "RequestEntityTooLargeException") -> None:
        super().__init__(f"a request is limited to {limit_bytes} bytes")
        self.code = code


@dataclass(frozen=True)
class Operation:
    """One request as IAM sees it."""

    service: str
    name: str
    region: str
    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_operation(environ: Environ, service: str, region: str) -> Operation:
    """The operation of a signed request; its name is empty where it cannot be told.

    Args:
        service: as the signature has it.
        region: as the signature has it.

    Raises:
        BodyTooLarge: what the operation is about cannot be read from its body.
    """
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    service = _NAMES.get(service, service)
    if service == "s3":
        name, parameters = _s3_operation(environ, method)
    elif service == "sagemaker" and "HTTP_X_AMZ_TARGET" not in environ:
        name, parameters = _runtime_operation(method, path)
    elif service in _BOTO_NAMES:
        name, parameters = _rest_operation(environ, service)
    else:
        name, parameters = _rpc_operation(environ)
    return Operation(service, name, region, method, path, parameters)


def read_body(environ: Environ, limit_bytes: int = BODY_MAX_BYTES) -> bytes:
    """The body of a request that is small by its kind; it can be read again afterwards.

    Raises:
        BodyTooLarge: it is longer than `limit_bytes`, by its length or, sent in chunks, by what came.
    """
    if int(environ.get("CONTENT_LENGTH") or 0) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    body: bytes = environ["wsgi.input"].read(limit_bytes + 1)
    if len(body) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return body


def _rpc_operation(environ: Environ) -> tuple[str, Mapping[str, Any]]:
    body = read_body(environ)
    question = asked(environ, body if question_is_form(environ) else b"")
    if question_is_form(environ) or "Action=" in environ.get("QUERY_STRING", ""):
        fields = parse_qs(body.decode("utf-8", "replace")) or parse_qs(environ.get("QUERY_STRING", ""))
        return question.action, {name: values[0] for name, values in fields.items()}
    return question.action, _json_object(body)


def question_is_form(environ: Environ) -> bool:
    """Whether a request has its action and parameters in a form."""
    return bool(environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"))


def _rest_operation(environ: Environ, service: str) -> tuple[str, Mapping[str, Any]]:
    name, parameters = _routed(environ, _BOTO_NAMES[service])
    if service == "lambda" and environ["REQUEST_METHOD"] in ("POST", "PUT"):
        if name in ("Invoke", "InvokeAsync"):
            return name, parameters
        parameters = {**_json_object(read_body(environ)), **parameters}
    return name, parameters


def _routed(environ: Environ, boto_name: str) -> tuple[str, dict[str, Any]]:
    """The operation by method and path, in botocore's own model."""
    from moto.core.request import Request
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import HTTPException

    try:
        operation, parameters = get_service_router(boto_name).match(Request({**environ, "wsgi.input": None}))
    except (HTTPException, NotImplementedError):
        return "", {}
    return str(operation.name), dict(parameters)


def _runtime_operation(method: str, path: str) -> tuple[str, Mapping[str, Any]]:
    """The data planes of SageMaker: feature store and endpoints, whose paths are few."""
    parts = path.split("/")
    if path.startswith("/FeatureGroup/"):
        names = {"PUT": "PutRecord", "GET": "GetRecord", "DELETE": "DeleteRecord"}
        return names.get(method, ""), {"FeatureGroupName": unquote(parts[2])}
    if path == "/BatchGetRecord":
        return "BatchGetRecord", {}
    if len(parts) >= 3 and parts[1] == "endpoints":
        return "InvokeEndpoint", {"EndpointName": unquote(parts[2])}
    return "", {}


def _s3_operation(environ: Environ, method: str) -> tuple[str, Mapping[str, Any]]:
    bucket, key = _bucket_and_key(environ)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    parameters: dict[str, Any] = {"Bucket": bucket, "Key": key, **query}
    if key and not query.keys() - {"versionId", "x-id"} and method in ("GET", "HEAD", "PUT"):
        if method == "PUT":
            copied = "HTTP_X_AMZ_COPY_SOURCE" in environ
            parameters["CopySource"] = environ.get("HTTP_X_AMZ_COPY_SOURCE", "")
            return ("CopyObject" if copied else "PutObject"), parameters
        return ("HeadObject" if method == "HEAD" else "GetObject"), parameters
    if bucket and not key and method == "GET" and "list-type" in query:
        return "ListObjectsV2", parameters
    if method == "POST" and "delete" in query:
        parameters["Body"] = _deletion_body(environ)
        return "DeleteObjects", parameters
    name, _ = _routed(environ, "s3")
    return name, parameters


def _deletion_body(environ: Environ) -> bytes:
    """The keys to delete; a longer list is refused, or keys that nobody checked would be deleted."""
    try:
        return read_body(environ, _S3_DELETE_MAX_BYTES)
    except BodyTooLarge:
        raise BodyTooLarge(_S3_DELETE_MAX_BYTES, "MaxMessageLengthExceeded") from None


def _bucket_and_key(environ: Environ) -> tuple[str, str]:
    """By path, or by a host such as `bucket.s3.us-east-1.amazonaws.com`."""
    path = unquote(environ["RAW_URI"].partition("?")[0]).lstrip("/")
    host = environ.get("HTTP_HOST", "").split(":")[0]
    bucket, dot, rest = host.partition(".s3")
    if dot and rest.endswith((".amazonaws.com", ".localhost")):
        return bucket, path
    bucket, _, key = path.partition("/")
    return bucket, key


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
