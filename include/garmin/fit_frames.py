"""The frame of FIT files: the files in a body, and the few messages of a file that someone wants.

A body may hold several files in a chain, each with a header, data and a CRC. The data are definitions, which say how
long the fields of a message are, and messages. An hour's activity holds some 3,600 messages of its seconds and a dozen
that sum it up, so messages that nobody wants are passed over by their length. The decoder `fitdecode`, which knows the
names, scales and sub-fields of Garmin's profile, decodes every message that it meets and cannot pass one over; it is
given a file made of the wanted ones alone (`as_file`).
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

MAX_FIT_BYTES = 32 * 1024 * 1024
"""An hour with a reading every second is about 160 kB; a day and a night of it 4 MB."""
MAX_MESSAGES = 500_000
"""Of one file; a day and a night of seconds has 86,400."""
MAX_CHAINED = 64
"""Files in one body; what comes after them is passed over."""

_MAGIC = b".FIT"
_SMALLEST_HEADER_BYTES = 12
_CRC_BYTES = 2
_CRC_POLYNOMIAL = 0xA001
_COMPRESSED, _DEFINITION, _WITH_DEVELOPER_FIELDS = 0x80, 0x40, 0x20
_FIXED_BYTES, _FIELD_BYTES = 6, 3
"""Of a definition: its header, reserved byte, byte order, message number and number of fields; then each field."""

_INTEGERS = {
    # base type: (format of `struct`, the value that means "not measured")
    0x00: ("B", 0xFF),
    0x01: ("b", 0x7F),
    0x02: ("B", 0xFF),
    0x83: ("h", 0x7FFF),
    0x84: ("H", 0xFFFF),
    0x85: ("i", 0x7FFFFFFF),
    0x86: ("I", 0xFFFFFFFF),
    0x0A: ("B", 0),
    0x8B: ("H", 0),
    0x8C: ("I", 0),
    0x8E: ("q", 0x7FFFFFFFFFFFFFFF),
    0x8F: ("Q", 0xFFFFFFFFFFFFFFFF),
    0x90: ("Q", 0),
}


class FitError(Exception):
    """Not the FIT file that it should be, or a broken one; one line that says why."""


@dataclass(frozen=True)
class FitFile:
    """One file of a chain: its data without header and CRC, and why it cannot be relied on (None: it is sound)."""

    data: bytes
    problem: str | None = None


@dataclass(frozen=True)
class Definition:
    """What a message looks like: fields are (number, bytes, base type), without those that apps define."""

    number: int
    is_big_endian: bool
    fields: tuple[tuple[int, int, int], ...]
    developer_bytes: int = 0

    @cached_property
    def field_bytes(self) -> int:
        return sum(size for _, size, _ in self.fields)

    @property
    def message_bytes(self) -> int:
        """Of a whole message without its header."""
        return self.field_bytes + self.developer_bytes

    @cached_property
    def _layout(self) -> tuple[struct.Struct, tuple[tuple[int, int], ...]]:
        """How to take the fields apart that are one whole number, with (number, "not measured") of each."""
        formats, taken = [">" if self.is_big_endian else "<"], []
        for number, size, base_type in self.fields:
            code, invalid = _INTEGERS.get(base_type, ("", 0))
            if code and struct.calcsize(f"={code}") == size:
                formats.append(code)
                taken.append((number, invalid))
            else:
                formats.append(f"{size}x")
        return struct.Struct("".join(formats)), tuple(taken)

    def integers(self, payload: bytes) -> dict[int, int]:
        """Fields of one whole number as they are stored, by their numbers; without what was not measured."""
        layout, taken = self._layout
        values = layout.unpack(payload)
        return {number: value for (number, invalid), value in zip(taken, values, strict=True) if value != invalid}


@dataclass(frozen=True)
class Message:
    """One message: its fields as stored, without those that apps define."""

    definition: Definition
    payload: bytes

    @property
    def number(self) -> int:
        return self.definition.number

    def integers(self) -> dict[int, int]:
        return self.definition.integers(self.payload)


def fit_files(body: bytes) -> Iterator[FitFile]:
    """The files of a chain, in order, at least one. What comes after a whole file and is no other is passed over.

    Raises:
        FitError: `body` is larger than MAX_FIT_BYTES or does not begin with a FIT file.
    """
    if len(body) > MAX_FIT_BYTES:
        raise FitError(f"larger than {MAX_FIT_BYTES} bytes: {len(body)}")
    if body[:2] == b"PK":
        raise FitError("a zip archive, not a FIT file: unpack it")
    if not _is_header(body, 0):
        raise FitError("not a FIT file")
    at = 0
    for _ in range(MAX_CHAINED):
        header_bytes, data_bytes = body[at], int.from_bytes(body[at + 4 : at + 8], "little")
        end = at + header_bytes + data_bytes + _CRC_BYTES
        if not data_bytes:
            # A watch writes the length when it closes the file.
            yield FitFile(b"", "its header tells a length of 0: the recording was broken off")
            return
        if end > len(body):
            yield FitFile(b"", f"truncated: {len(body) - at} bytes of {end - at}")
            return
        # With its own CRC at its end, a sound file comes to 0.
        is_sound = crc16(body[at:end]) == 0
        yield FitFile(body[at + header_bytes : end - _CRC_BYTES], None if is_sound else "wrong CRC")
        at = len(body) - len(body[end:].lstrip(b"\0"))
        if not _is_header(body, at):
            return


def messages(data: bytes, wanted: frozenset[int]) -> Iterator[Message]:
    """The messages of these numbers in the data of one file, in order.

    Raises:
        FitError: more than MAX_MESSAGES, or data that end within a message or hold an undefined one.
    """
    definitions: list[Definition | None] = [None] * 16
    lengths = [-1] * 16
    at, end = 0, len(data)
    for _ in range(MAX_MESSAGES):
        if at >= end:
            return
        header = data[at]
        if not header & _COMPRESSED and header & _DEFINITION:
            local = header & 0x0F
            definition, at = _definition(data, at)
            definitions[local] = definition if definition.number in wanted else None
            lengths[local] = definition.message_bytes
            continue
        local = (header >> 5) & 0x03 if header & _COMPRESSED else header & 0x0F
        length, kept = lengths[local], definitions[local]
        if length < 0:
            raise FitError("malformed: a message that was not defined")
        if at + 1 + length > end:
            raise FitError("malformed: its data end within a message")
        if kept is not None:
            yield Message(kept, data[at + 1 : at + 1 + kept.field_bytes])
        at += 1 + length
    if at < end:
        raise FitError(f"more than {MAX_MESSAGES} messages")


def as_file(wanted: Iterable[Message]) -> bytes:
    """A FIT file that holds these messages alone; its CRC is not set."""
    data, last = bytearray(), None
    for message in wanted:
        definition = message.definition
        if definition is not last:
            data += struct.pack("BBB", _DEFINITION, 0, definition.is_big_endian)
            data += struct.pack(">HB" if definition.is_big_endian else "<HB", definition.number, len(definition.fields))
            data += b"".join(bytes(field) for field in definition.fields)
            last = definition
        data.append(0)
        data += message.payload
    return struct.pack("<BBHI4sH", 14, 0x20, 0, len(data), _MAGIC, 0) + data + b"\0\0"


def crc16(data: bytes) -> int:
    """The CRC of the FIT protocol; two bytes a step, for 16 bits are all that it remembers."""
    table, crc = _crc_by_word(), 0
    words = array("H", data[: len(data) & ~1])
    if sys.byteorder == "big":
        words.byteswap()
    for word in words:
        crc = table[crc ^ word]
    return (crc >> 8) ^ _crc_by_byte()[(crc ^ data[-1]) & 0xFF] if len(data) & 1 else crc


@cache
def _crc_by_byte() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ _CRC_POLYNOMIAL if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


@cache
def _crc_by_word() -> tuple[int, ...]:
    table = _crc_by_byte()
    firsts = ((table[word & 0xFF], word >> 8) for word in range(65_536))
    return tuple([(first >> 8) ^ table[(first ^ high) & 0xFF] for first, high in firsts])


def _is_header(body: bytes, at: int) -> bool:
    return body[at + 8 : at + 12] == _MAGIC and body[at] >= _SMALLEST_HEADER_BYTES


def _definition(data: bytes, at: int) -> tuple[Definition, int]:
    """The definition at a place, and where what follows it begins."""
    fixed = data[at : at + _FIXED_BYTES]
    if len(fixed) < _FIXED_BYTES:
        raise FitError("malformed: its data end within a definition")
    is_big_endian = bool(fixed[2])
    number = int.from_bytes(fixed[3:5], "big" if is_big_endian else "little")
    fields, end = _fields(data, at + _FIXED_BYTES, fixed[5])
    developer_bytes = 0
    if fixed[0] & _WITH_DEVELOPER_FIELDS:
        if end >= len(data):
            raise FitError("malformed: its data end within a definition")
        of_apps, end = _fields(data, end + 1, data[end])
        developer_bytes = sum(size for _, size, _ in of_apps)
    return Definition(number, is_big_endian, fields, developer_bytes), end


def _fields(data: bytes, at: int, count: int) -> tuple[tuple[tuple[int, int, int], ...], int]:
    end = at + _FIELD_BYTES * count
    if end > len(data):
        raise FitError("malformed: its data end within a definition")
    return tuple([(data[n], data[n + 1], data[n + 2]) for n in range(at, end, _FIELD_BYTES)]), end
