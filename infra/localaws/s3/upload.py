"""The body of an S3 PUT: plain or aws-chunked, hashed while it arrives, written to disk when it is large."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from infra.localaws.s3.errors import S3Error
from infra.localaws.s3.journal import INLINE_MAX_BYTES, Journal
from infra.localaws.s3.objects import WrittenBody
from infra.localaws.world import Environ

PIECE_BYTES = 256 * 1024


class Digest(Protocol):
    """hashlib's face."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    """zlib's CRC-32 in hashlib's manner."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_DIGESTS: dict[str, Callable[[], Digest]] = {
    "crc32": Crc32,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
"""Checksums that are verified; CRC32C and CRC64NVME need libraries that are not here and are kept as they came."""
CHECKSUMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


@dataclass
class Received:
    """A body that arrived whole and whose checksums fit."""

    body: bytes | WrittenBody
    md5: str
    checksums: dict[str, str] = field(default_factory=dict)
    """Base64 by algorithm (lower case), as the client sent them."""


class _Sink:
    """Collects pieces in memory, or in the file of a journal row once they are many."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.size = 0
        self.row_id: int | None = None
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._file is None and self.size > INLINE_MAX_BYTES:
            self.row_id = self.journal.new_id()
            self._file = self.journal.path(self.row_id).open("wb")
            for earlier in self._pieces:
                self._file.write(earlier)
            self._pieces = []
        if self._file is None:
            self._pieces.append(piece)
        else:
            self._file.write(piece)

    def end(self, md5: str) -> bytes | WrittenBody:
        if self._file is None or self.row_id is None:
            return b"".join(self._pieces)
        self._file.close()
        return WrittenBody(self.row_id, self.size, md5)

    def give_up(self) -> None:
        if self._file is not None and self.row_id is not None:
            self._file.close()
            self.journal.path(self.row_id).unlink(missing_ok=True)


def receive(environ: Environ, journal: Journal) -> Received:
    """Read a request's body.

    Raises:
        S3Error: a checksum or length that does not fit (BadDigest, IncompleteBody), broken chunks.
    """
    trailers: dict[str, str] = {}
    pieces = _aws_chunks(environ["wsgi.input"], trailers) if is_aws_chunked(environ) else _plain(environ["wsgi.input"])
    given = {name: environ[f"HTTP_X_AMZ_CHECKSUM_{name.upper()}"] for name in CHECKSUMS if _given(environ, name)}
    expected = {*given, *_announced(environ)}
    digests = {name: _DIGESTS[name]() for name in expected if name in _DIGESTS}
    md5 = hashlib.md5(usedforsecurity=False)
    sink = _Sink(journal)
    try:
        for piece in pieces:
            md5.update(piece)
            for digest in digests.values():
                digest.update(piece)
            sink.write(piece)
        given |= {name: trailers[key] for name in CHECKSUMS if (key := f"x-amz-checksum-{name}") in trailers}
        _verify(environ, sink.size, md5.digest(), {name: digests[name].digest() for name in digests}, given)
    except BaseException:
        sink.give_up()
        raise
    return Received(sink.end(md5.hexdigest()), md5.hexdigest(), given)


def is_aws_chunked(environ: Environ) -> bool:
    return str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")).startswith("STREAMING-")


def _given(environ: Environ, name: str) -> bool:
    return f"HTTP_X_AMZ_CHECKSUM_{name.upper()}" in environ


def _announced(environ: Environ) -> set[str]:
    return {
        word.strip().lower().removeprefix("x-amz-checksum-")
        for word in environ.get("HTTP_X_AMZ_TRAILER", "").split(",")
    }


def _plain(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece


def _aws_chunks(stream: Any, trailers: dict[str, str]) -> Iterator[bytes]:
    """The data of `size[;chunk-signature=…]` chunks; what follows the last one goes to `trailers`."""
    while True:
        head = stream.readline(4096).strip()
        try:
            left = int(head.split(b";")[0], 16)
        except ValueError:
            raise S3Error(400, "IncompleteBody", "The request body is not aws-chunked as its headers say") from None
        if left == 0:
            break
        while left:
            piece = stream.read(min(left, PIECE_BYTES))
            if not piece:
                raise S3Error(400, "IncompleteBody", "The request body ended within a chunk")
            left -= len(piece)
            yield piece
        stream.readline(8)
    while line := stream.readline(4096).strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()


def _verify(environ: Environ, size: int, md5: bytes, digests: dict[str, bytes], given: dict[str, str]) -> None:
    announced = environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH")
    if announced and announced.isdigit() and int(announced) != size:
        raise S3Error(400, "IncompleteBody", "The body is not as long as x-amz-decoded-content-length says")
    content_md5 = environ.get("HTTP_CONTENT_MD5")
    if content_md5 and content_md5 != base64.b64encode(md5).decode():
        raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    for name, digest in digests.items():
        if name in given and given[name] != base64.b64encode(digest).decode():
            raise S3Error(400, "BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
    payload = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if len(payload) == 64 and "sha256" in digests and payload != digests["sha256"].hex():
        raise S3Error(400, "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match.")
