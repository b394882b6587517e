"""Objects for a browser, which signs nothing: `GET /_localaws/s3/{bucket}/{key}`, as the console of AWS shows them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from infra.localaws.s3 import routes
from infra.localaws.world import Environ, StartResponse

CONSOLE_PATH = "/_localaws/s3/"
_HEADERS = [
    ("Content-Security-Policy", "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"),
    ("X-Content-Type-Options", "nosniff"),
]
"""A page out of a bucket runs no script and loads nothing: it would stand on the address of local AWS itself."""


def wanted(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] in ("GET", "HEAD") and environ["PATH_INFO"].startswith(CONSOLE_PATH)


def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The current version of an object, with the content type it was stored with."""
    path = environ["RAW_URI"].partition("?")[0].removeprefix(CONSOLE_PATH)
    bucket, _, key = path.partition("/")
    environ["localaws.s3"] = (routes.get_object, routes.Call(environ, unquote(bucket), unquote(key), {}))

    def start(status: str, headers: Any, *more: Any) -> Any:
        return start_response(status, [*headers, *_HEADERS], *more)

    return routes.serve(environ, start)
