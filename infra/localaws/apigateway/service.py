"""API Gateway in this local AWS: the addresses under which deployed APIs answer."""

import http
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

from infra.localaws.apigateway.access_log import AccessLog
from infra.localaws.apigateway.gateway import Gateway
from infra.localaws.apigateway.request import Request
from infra.localaws.apigateway.usage import Usage
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse, World

_PATH = re.compile(r"/restapis/([a-z0-9]+)/([^/]+)/_user_request_(/.*)?", re.DOTALL)
_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.", re.IGNORECASE)
_STAGE = re.compile(r"/([^/]*)(/.*)?", re.DOTALL)
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


def install(world: World) -> None:
    """Serve deployed APIs, by path and by host, ahead of moto."""
    from infra.localaws.apigateway import moto_records

    access_log = AccessLog()
    usage = Usage(counted=lambda: world.mark_changed(soon=False))
    gateway = Gateway(world.config.region, ACCOUNT_ID, usage, access_log)
    moto_records.patch()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = gateway.answer(read_request(environ))
        headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {_REASONS.get(answer.status, 'Unknown')}", headers)
        return [answer.body]

    world.route(is_user_request, app)
    world.on_restore(gateway.forget)
    world.on_shutdown(gateway.close)
    world.on_shutdown(access_log.close)


def is_user_request(environ: Environ) -> bool:
    path: str = environ["PATH_INFO"]
    by_path = path.startswith("/restapis/") and "/_user_request_" in path
    return by_path or ".execute-api." in environ.get("HTTP_HOST", "")


def read_request(environ: Environ) -> Request:
    """The request for an API, whichever of the two addresses it came by."""
    path = str(environ.get("REQUEST_URI", "")).partition("?")[0]
    if not path.startswith("/"):
        path = quote(environ["PATH_INFO"].encode("latin-1"))
    if match := _PATH.fullmatch(path):
        api_id, stage, rest = match[1], match[2], match[3] or "/"
    else:
        host = _HOST.match(environ.get("HTTP_HOST", ""))
        below = _STAGE.fullmatch(path)
        api_id = host[1].lower() if host else ""
        stage, rest = (below[1], below[2] or "/") if below else ("", "/")
    return Request(environ, api_id, unquote(stage), rest)
