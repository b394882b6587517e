"""InvokeEndpoint, answered ahead of moto."""

import json
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from infra.localaws.sagemaker.fleet import Fleet
from infra.localaws.sagemaker.serving_process import Answer, TimedOut, WorkerDied
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse, World

PATH = re.compile(r"/endpoints/([^/]+)/invocations")
BODY_LIMIT_BYTES = 6 * 1024 * 1024


class Refused(Exception):
    """An error of the runtime API, with its HTTP status and members."""

    def __init__(self, status: int, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.members = {"Message": message, **members}


class Invocations:
    """A WSGI application for `/endpoints/{name}/invocations`."""

    def __init__(self, world: World, fleet: Fleet) -> None:
        self._fleet = fleet
        self._region = world.config.region
        world.route(lambda environ: PATH.fullmatch(environ["PATH_INFO"]) is not None, self)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            variant, answer = self._answer(environ)
        except Refused as refused:
            body = json.dumps(refused.members).encode()
            headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", refused.code)]
            return _respond(start_response, refused.status, headers, body)
        headers = [("Content-Type", answer.content_type), ("x-Amzn-Invoked-Production-Variant", variant)]
        return _respond(start_response, 200, headers, answer.body)

    def _answer(self, environ: Environ) -> tuple[str, Answer]:
        match = PATH.fullmatch(environ["PATH_INFO"])
        assert match is not None
        body = _body(environ)
        if environ["REQUEST_METHOD"] != "POST":
            raise Refused(400, "ValidationError", "InvokeEndpoint is a POST")
        name = unquote(match[1])
        deployment = self._fleet.get(name)
        if deployment is None:
            raise Refused(400, "ValidationError", f"Endpoint {name} of account {ACCOUNT_ID} not found.")
        variant = environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT") or self._fleet.pick(deployment)
        if variant not in deployment.variants:
            raise Refused(400, "ValidationError", f"Variant {variant} was not found in endpoint {name}.")
        process = deployment.variants[variant].process
        content_type = environ.get("CONTENT_TYPE") or "application/octet-stream"
        accept = environ.get("HTTP_ACCEPT") or "*/*"
        stream = f"arn:aws:logs:{self._region}:{ACCOUNT_ID}:log-group:{process.log_stream}"
        try:
            answer = process.invoke(content_type, "application/json" if accept == "*/*" else accept, body)
        except (WorkerDied, TimedOut) as error:
            raise _model_error(500, str(error), stream) from error
        if not 200 <= answer.status < 300:
            raise _model_error(answer.status, answer.body.decode("utf-8", "replace"), stream)
        return variant, answer


def _model_error(status: int, message: str, log_stream: str) -> Refused:
    side = "client" if status < 500 else "server"
    text = f'Received {side} error ({status}) from primary with message "{message}". See {log_stream} for more.'
    return Refused(424, "ModelError", text, OriginalStatusCode=status, OriginalMessage=message, LogStreamArn=log_stream)


def _body(environ: Environ) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    stream = environ["wsgi.input"]
    body: bytes = stream.read(length) if length or not environ.get("HTTP_TRANSFER_ENCODING") else stream.read()
    if len(body) > BODY_LIMIT_BYTES:
        raise Refused(400, "ValidationError", f"Request body size exceeded max allowed: {BODY_LIMIT_BYTES} bytes")
    return body


def _respond(
    start_response: StartResponse, status: int, headers: list[tuple[str, str]], body: bytes
) -> Iterable[bytes]:
    own = [("Content-Length", str(len(body))), ("x-amzn-RequestId", secrets.token_hex(16))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers + own)
    return [body]
