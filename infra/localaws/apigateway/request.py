"""An HTTP request to a deployed API, read from WSGI."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from infra.localaws.apigateway.errors import TOO_LARGE, GatewayError

MAX_BODY_BYTES = 10 << 20
MAX_DISCARDED_BYTES = 100 << 20


@dataclass(frozen=True)
class Request:
    """What the gateway needs of a request. WSGI keeps neither the case of header names nor, for most headers, more
    than the last of several of one name."""

    environ: dict[str, Any]
    api_id: str
    stage: str
    raw_path: str
    """Below the stage, percent-encoded as it came."""

    @cached_property
    def path(self) -> str:
        """Below the stage, decoded."""
        return unquote(self.raw_path)

    @property
    def full_path(self) -> str:
        """With the stage, as API Gateway reports it."""
        return f"/{self.stage}{self.path}"

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def source_ip(self) -> str:
        return str(self.environ.get("REMOTE_ADDR") or "127.0.0.1")

    @cached_property
    def headers(self) -> dict[str, str]:
        """Header name, in title case, -> value."""
        found = {
            name[5:].replace("_", "-").title(): value for name, value in self.environ.items() if name[:5] == "HTTP_"
        }
        for name in ("Content-Type", "Content-Length"):
            if value := self.environ.get(name.upper().replace("-", "_")):
                found[name] = value
        return found

    @cached_property
    def lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    @cached_property
    def query(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True):
            values.setdefault(name, []).append(value)
        return values

    @property
    def content_type(self) -> str:
        return self.lower_headers.get("content-type", "")

    def read_body(self) -> bytes:
        """The body, to be read once (GatewayError where it is larger than API Gateway takes)."""
        length = self.environ.get("CONTENT_LENGTH")
        source = self.environ["wsgi.input"]
        if length is None and "chunked" not in str(self.environ.get("HTTP_TRANSFER_ENCODING", "")).lower():
            return b""
        size = int(length) if length else MAX_BODY_BYTES + 1
        if length and size > MAX_BODY_BYTES:
            _discard(source, min(size, MAX_DISCARDED_BYTES))
            raise GatewayError(TOO_LARGE)
        body: bytes = source.read(size) if size else b""
        if len(body) > MAX_BODY_BYTES:
            raise GatewayError(TOO_LARGE)
        return body


def _discard(source: Any, size: int) -> None:
    """Read a body that is too large: a client that is still sending would never see the answer."""
    while size > 0 and (part := source.read(min(size, 1 << 16))):
        size -= len(part)
