"""A small HTTP/1.1 server for WSGI applications: one thread a connection, kept alive.

A pool of fixed size would hang here: an API request waits for a Lambda, which calls this server, and so on. The
first byte of an answer leaves with its head in one packet, without Nagle's wait.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from io import BufferedReader
from typing import Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

from infra.localaws.request_body import BadRequest, ChunkedBody, SizedBody
from infra.localaws.world import Environ, WsgiApp

log = logging.getLogger("localaws")

MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_CONNECTIONS = 1000
IDLE_S = 90.0
"""A kept connection without a request is closed after this."""
STALLED_S = 120.0
"""A client that neither reads nor writes for so long in mid-request is left."""

_UNDERSCORED = "moto.preserved_header_names"


class Connection:
    """Requests and answers on one socket, in turn."""

    def __init__(self, sock: socket.socket, peer: tuple[str, int], app: WsgiApp, base: Environ) -> None:
        self.sock = sock
        self.reader = cast(BufferedReader, sock.makefile("rb", 64 * 1024))
        self.peer = peer
        self.app = app
        self.base = base
        self.busy = False

    def serve(self) -> None:
        """Answer until the client, an error or idleness ends the connection."""
        try:
            while self._serve_one():
                pass
        except (OSError, ValueError):
            pass  # the client went away
        except Exception:
            log.exception("a connection broke")
        finally:
            self.close()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _serve_one(self) -> bool:
        self.sock.settimeout(IDLE_S)
        try:
            environ = self._read_head()
        except BadRequest as error:
            self._refuse(error)
            return False
        if environ is None:
            return False
        self.busy = True
        self.sock.settimeout(STALLED_S)
        try:
            return self._answer(environ)
        except BadRequest as error:
            self._refuse(error)
            return False
        finally:
            self.busy = False

    def _refuse(self, error: BadRequest) -> None:
        body = str(error).encode()
        head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nContent-Type: text/plain\r\n"
        self.sock.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)

    def _read_head(self) -> Environ | None:
        line = self.reader.readline(MAX_LINE_BYTES + 1)
        if line in (b"\r\n", b"\n"):
            line = self.reader.readline(MAX_LINE_BYTES + 1)
        if not line:
            return None
        if len(line) > MAX_LINE_BYTES:
            raise BadRequest(414, "the request line is too long")
        words = line.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(400, "not an HTTP/1 request")
        method, target, version = words
        environ = dict(self.base)
        environ.update(REQUEST_METHOD=method, SERVER_PROTOCOL=version, REMOTE_ADDR=self.peer[0])
        environ["REMOTE_PORT"] = str(self.peer[1])
        _set_target(environ, target)
        read_headers(self.reader, environ)
        environ["wsgi.input"] = self._body(environ)
        return environ

    def _body(self, environ: Environ) -> SizedBody | ChunkedBody:
        say_continue = None
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            say_continue = self._say_continue
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ.pop("CONTENT_LENGTH", None)
            return ChunkedBody(self.reader, say_continue)
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdigit():
            raise BadRequest(400, "Content-Length is no number")
        return SizedBody(self.reader, int(length), say_continue)

    def _say_continue(self) -> None:
        self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, environ: Environ) -> bool:
        body: SizedBody | ChunkedBody = environ["wsgi.input"]
        answer = Answer(self.sock, environ)
        chunks = self.app(environ, answer.start_response)
        try:
            answer.send(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer.keep_alive and body.drain()


class Answer:
    """One response: `start_response`, then its body."""

    def __init__(self, sock: socket.socket, environ: Environ) -> None:
        self.sock = sock
        self.bodiless = environ["REQUEST_METHOD"] == "HEAD"
        self.http11 = environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        wanted = environ.get("HTTP_CONNECTION", "").lower()
        self.keep_alive = wanted != "close" if self.http11 else wanted == "keep-alive"
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:  # noqa: ARG002
        self.status = status
        self.headers = headers

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send head and body; chunked where the length is not known."""
        names = {name.lower() for name, _ in self.headers}
        bodiless = self.bodiless or self.status[:3] in ("204", "304")
        chunked = False
        if "content-length" not in names and not bodiless:
            if isinstance(chunks, (list, tuple)):
                chunks = [b"".join(chunks)]
                self.headers = [*self.headers, ("Content-Length", str(len(chunks[0])))]
            elif self.http11:
                chunked = True
                self.headers = [*self.headers, ("Transfer-Encoding", "chunked")]
            else:
                self.keep_alive = False
        head = self._head(names)
        if bodiless:
            self.sock.sendall(head)
            return
        for chunk in chunks:
            if chunk:
                self.sock.sendall(head + (b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk))
                head = b""
        if chunked:
            head += b"0\r\n\r\n"
        if head:
            self.sock.sendall(head)

    def _head(self, names: set[str]) -> bytes:
        lines = [f"HTTP/1.1 {self.status}"]
        for name, value in self.headers:
            text = str(value)
            if "\r" in text or "\n" in text:
                text = text.replace("\r", " ").replace("\n", " ")
            lines.append(f"{name}: {text}")
        if "date" not in names:
            lines.append(f"Date: {formatdate(time.time(), usegmt=True)}")
        lines.append(f"Connection: {'keep-alive' if self.keep_alive else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _set_target(environ: Environ, target: str) -> None:
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path, _, query = target.partition("?")
    environ["RAW_URI"] = environ["REQUEST_URI"] = target
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    environ["QUERY_STRING"] = query


def read_headers(reader: BufferedReader, environ: Environ) -> None:
    """Read header lines into a WSGI environ. Names with `_` are dropped (they could pose as others), but for S3
    metadata, whose spelling is kept beside it."""
    underscored: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = reader.readline(MAX_LINE_BYTES + 1)
        if line in (b"\r\n", b"\n"):
            if underscored:
                environ[_UNDERSCORED] = underscored
            return
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or len(line) > MAX_LINE_BYTES:
            raise BadRequest(400, "a header line is broken or too long")
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        if "_" in name:
            if not name.lower().startswith("x-amz-meta-"):
                continue
            underscored[key] = name
        value = value.strip()
        environ[key] = f"{environ[key]},{value}" if key in environ and key.startswith("HTTP_") else value
    raise BadRequest(431, "too many headers")


class HttpServer:
    """Listens from `bind` on; `serve` runs until `stop`."""

    def __init__(self, host: str, port: int, app: WsgiApp) -> None:
        self.host = host
        self.port = port
        self.app = app
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def bind(self) -> None:
        """Take the port.

        Raises:
            OSError: where it is taken or not ours to take.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=256)
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Accept connections until `stop`."""
        assert self._listener is not None
        base: Environ = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": self.host,
            "SERVER_PORT": str(self.port),
            "SERVER_SOFTWARE": "localaws",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        while not self._stopping.is_set():
            try:
                sock, peer = self._listener.accept()
            except OSError:
                if self._stopping.is_set():
                    return
                time.sleep(0.05)  # out of file descriptors, say: the others go on
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._take(Connection(sock, peer, self.app, base))

    def _take(self, connection: Connection) -> None:
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                connection.close()
                return
            self._connections.add(connection)
        threading.Thread(target=self._run, args=(connection,), daemon=True, name="connection").start()

    def _run(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.discard(connection)

    def stop(self, grace_s: float = 3.0) -> None:
        """Take no more connections; requests under way get `grace_s` to end."""
        self._stopping.set()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            with self._lock:
                busy = any(connection.busy for connection in self._connections)
            if not busy:
                break
            time.sleep(0.02)
        with self._lock:
            left = list(self._connections)
        for connection in left:
            connection.close()
