"""Reading a member with a measure on it: an archive claims what it likes, what comes out of it is counted."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from include.garmin.document import SourceError

MIB = 1024 * 1024
MAX_MEMBER_BYTES = 256 * MIB
"""A part of 1000 activities is about 3 MB, 100 days of `UDSFile` about 0.5 MB."""
MAX_EXPORT_BYTES = 1024 * MIB
"""All members together; twenty years are about 100 MB."""
MAX_RATIO = 200
"""Bytes out for each byte in; this kind of JSON packs 10 to 40 times."""
RATIO_FREE_BYTES = MIB
"""Up to here the ratio says nothing."""
READ_BYTES = 256 * 1024

DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)
"""What Python's zip reader raises for archives that are not well formed."""


class Unreadable(Exception):
    """A member that is damaged, with the reason; the other members can still be read."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Member:
    """A file of an export. `packed_bytes` is its size in the archive; `open` begins to read it."""

    path: str
    packed_bytes: int
    open: Callable[[], Readable]


@dataclass
class Allowance:
    """What one reading of an export may give out, in bytes; it shrinks."""

    left: int = MAX_EXPORT_BYTES


class Measured:
    """The bytes of one member. Read through `measured`."""

    def __init__(self, member: Member, stream: Readable, allowance: Allowance) -> None:
        self._member, self._stream, self._allowance = member, stream, allowance
        self._given = 0
        self._most = min(MAX_MEMBER_BYTES, RATIO_FREE_BYTES + MAX_RATIO * member.packed_bytes)

    def read(self, size: int) -> bytes:
        """The next at most `size` bytes; none at the end.

        Raises:
            Unreadable: a damaged member.
            SourceError: more comes out than any export holds.
        """
        try:
            data = self._stream.read(size)
        except DAMAGE as error:
            raise Unreadable(f"is damaged: {error or type(error).__name__}") from error
        self._given += len(data)
        self._allowance.left -= len(data)
        if self._given > self._most:
            raise SourceError(
                f"{shown(self._member.path)} unpacks to more than {self._most} bytes from {self._member.packed_bytes}: "
                "this is no account export"
            )
        if self._allowance.left < 0:
            raise SourceError(f"{shown(self._member.path)}: the export unpacks to more than any account holds")
        return data


@contextmanager
def measured(member: Member, allowance: Allowance) -> Iterator[Measured]:
    """`member` opened. Raises Unreadable for one that cannot be."""
    try:
        stream = member.open()
    except DAMAGE as error:
        raise Unreadable(f"cannot be opened: {error or type(error).__name__}") from error
    try:
        yield Measured(member, stream, allowance)
    finally:
        stream.close()


def check(member: Member, allowance: Allowance) -> None:
    """Read `member` to its end, which checks its checksum and size. Raises as `Measured.read` and `measured`."""
    with measured(member, allowance) as stream:
        while stream.read(READ_BYTES):
            pass


def shown(path: str) -> str:
    """A member's path as it may stand in a message: of bounded length, without control characters."""
    return ascii(path[:200])
