"""Bodies of HTTP requests, read from the socket as they are asked for."""

from collections.abc import Callable, Iterator
from io import BufferedReader

MAX_BODY_BYTES = 5 * 1024**3
"""S3's own limit on one PUT; nothing larger is read."""
DRAIN_MAX_BYTES = 1024 * 1024
"""An unread rest larger than this closes the connection instead of being read."""


class BadRequest(Exception):
    """A request that cannot be read; `status` is its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Body:
    """What both kinds share: lines, iteration, and the client's wait for `100 Continue`."""

    def __init__(self, reader: BufferedReader, say_continue: Callable[[], None] | None) -> None:
        self.reader = reader
        self._say_continue = say_continue

    def _begin(self) -> None:
        if self._say_continue is not None:
            self._say_continue()
            self._say_continue = None

    def read(self, size: int | None = -1) -> bytes:
        raise NotImplementedError

    def readline(self, size: int = -1) -> bytes:
        line = bytearray()
        while size < 0 or len(line) < size:
            byte = self.read(1)
            if not byte:
                break
            line += byte
            if byte == b"\n":
                break
        return bytes(line)

    def readlines(self, hint: int = -1) -> list[bytes]:  # noqa: ARG002 - WSGI's signature
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line


class SizedBody(_Body):
    """A body of `Content-Length` bytes."""

    def __init__(self, reader: BufferedReader, length: int, say_continue: Callable[[], None] | None = None) -> None:
        super().__init__(reader, say_continue)
        if length > MAX_BODY_BYTES:
            raise BadRequest(413, f"a body is limited to {MAX_BODY_BYTES} bytes")
        self.left = length

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, all that are left by default.

        Raises:
            BadRequest: where the client ends the connection too early.
        """
        self._begin()
        wanted = self.left if size is None or size < 0 else min(size, self.left)
        if wanted == 0:
            return b""
        data = self.reader.read(wanted)
        if len(data) < wanted:
            raise BadRequest(400, "the body ended early")
        self.left -= wanted
        return data

    def readline(self, size: int = -1) -> bytes:
        self._begin()
        line = self.reader.readline(self.left if size < 0 else min(size, self.left)) if self.left else b""
        self.left -= len(line)
        return line

    def drain(self) -> bool:
        """Read what the application left; False where the connection is better closed.

        A client that still waits for `100 Continue` took the final answer in its place: botocore would take that
        answer's status for the next one on the same connection.
        """
        if self._say_continue is not None or self.left > DRAIN_MAX_BYTES:
            return False
        if self.left == 0:
            return True
        self.read()
        return True


class ChunkedBody(_Body):
    """A body with `Transfer-Encoding: chunked`."""

    def __init__(self, reader: BufferedReader, say_continue: Callable[[], None] | None = None) -> None:
        super().__init__(reader, say_continue)
        self._chunk_left = 0
        self._total = 0
        self._ended = False

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, all by default.

        Raises:
            BadRequest: broken chunks, or more than MAX_BODY_BYTES in all.
        """
        unlimited = size is None or size < 0
        parts: list[bytes] = []
        wanted = MAX_BODY_BYTES if unlimited or size is None else size
        while wanted > 0 and not self._ended:
            if self._chunk_left == 0 and not self._next_chunk():
                break
            data = self.reader.read(min(wanted, self._chunk_left))
            if not data:
                raise BadRequest(400, "the body ended early")
            parts.append(data)
            wanted -= len(data)
            self._chunk_left -= len(data)
            if self._chunk_left == 0:
                self.reader.readline(3)
        return b"".join(parts)

    def _next_chunk(self) -> bool:
        self._begin()
        try:
            length = int(self.reader.readline(1024).split(b";")[0].strip(), 16)
        except ValueError:
            raise BadRequest(400, "broken chunk") from None
        self._total += length
        if length < 0 or self._total > MAX_BODY_BYTES:
            raise BadRequest(413, f"a body is limited to {MAX_BODY_BYTES} bytes")
        if length == 0:
            while self.reader.readline(64 * 1024) not in (b"\r\n", b"\n", b""):
                pass
            self._ended = True
        self._chunk_left = length
        return length > 0

    def drain(self) -> bool:
        """Read what the application left; False where the connection is better closed."""
        if self._say_continue is not None:
            return False
        for _ in range(DRAIN_MAX_BYTES // 65536):
            if self._ended or not self.read(65536):
                return True
        return self._ended
