"""The items of a member that is sound JSON of the known shape, cut by msgspec; anything else is left to `items`."""

import codecs
import json
import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from include.garmin.export.measured import READ_BYTES, Unreadable

MAX_DEPTH = 64
"""Of lists and objects in each other, within an item; Garmin's have at most 8."""

_DIGITS = 1_400
"""Python reads no whole number of more than 4300 digits; one of those has a block of so many at a multiple of it."""
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ENVELOPES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Head:
    """The beginning of a stream, which can be read once more together with what follows.

    It lies in memory of its own, outside of Python's heap: pieces of megabytes would leave holes there that grow with
    the number of members.

    Attributes:
        is_whole: whether the stream ends within it.
        is_utf8: whether it is text; msgspec does not look at the characters that it passes over.
    """

    def __init__(self, stream: _Readable, size: int) -> None:
        """Read at most `size` bytes; damage that is met on the way is met again behind them, by `read`."""
        self.is_whole, self.is_utf8 = False, True
        self._stream, self._at = stream, 0
        self._damage: Unreadable | None = None
        self._memory, self._end = mmap.mmap(-1, max(size, 1)), 0
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while not self.is_whole and self._end < size:
                data = stream.read(min(READ_BYTES, size - self._end))
                self._memory[self._end : self._end + len(data)] = data
                self._end += len(data)
                self.is_whole = not data
                decoder.decode(data, self.is_whole)
        except Unreadable as damage:
            self._damage = damage
        except UnicodeDecodeError:
            self.is_utf8 = False

    @property
    def text(self) -> memoryview:
        """What was read, without a byte order mark."""
        mark = len(codecs.BOM_UTF8) if self._memory[: len(codecs.BOM_UTF8)] == codecs.BOM_UTF8 else 0
        return memoryview(self._memory)[mark : self._end]

    def release(self) -> None:
        """Give the memory back, whoever still holds this object: an error keeps it until garbage is collected."""
        try:
            self._memory.close()
        except BufferError:  # an item is still in use, and goes with it
            self._memory = mmap.mmap(-1, 1)

    def read(self, size: int, /) -> bytes:
        """The next at most `size` bytes, from the beginning on; none at the end."""
        if self._at < self._end:
            data = self._memory[self._at : min(self._at + size, self._end)]
            self._at += len(data)
            return data
        if self._damage is not None:
            raise self._damage
        return b"" if self.is_whole else self._stream.read(size)


def sound_items(head: Head, envelope: str | None) -> list[msgspec.Raw] | None:
    """The items, as places in `head`, of `[item, …]` or `[{envelope: [item, …]}, …]`.

    None for anything that is not just that, or is not read to its end.
    """
    if not (head.is_whole and head.is_utf8):
        return None
    try:
        raw = _LIST.decode(head.text) if envelope is None else _in_envelopes(head.text, envelope)
        return raw if raw is not None and all(_is_readable(bytes(item)) for item in raw) else None
    except _FAULTS:
        return None


def _is_readable(item: bytes) -> bool:
    """Whether an item can be read as a whole: not nested too deeply, and without a number of thousands of digits."""
    if any(item[start : start + _DIGITS].isdigit() for start in range(_DIGITS, len(item), _DIGITS)):
        return False
    openings = item.count(b"[") + item.count(b"{")
    return openings <= MAX_DEPTH or not is_deep(openings, msgspec.json.decode(item))


def _in_envelopes(text: memoryview, envelope: str) -> list[msgspec.Raw] | None:
    parts = _ENVELOPES.decode(text)
    # Of a key that stands twice in an object the first list would be lost.
    times = sum(1 for _ in re.finditer(re.escape(f'"{envelope}"').encode(), text))
    if any(part.keys() != {envelope} for part in parts) or times != len(parts):
        return None
    return [each for part in parts for each in _LIST.decode(part[envelope])]


def value_reader(fields: Sequence[str] | None) -> Callable[[bytes], object]:
    """Reads of an item no other than the named fields (None: all of it); a field that is not there is None.

    Of an item that is no object it gives all.
    """
    if fields is None:
        return json.loads
    names = {f"field_{number}": name for number, name in enumerate(fields)}
    shape = msgspec.defstruct("Wanted", [(field, Any, None) for field in names], rename=names)
    decoder = msgspec.json.Decoder(shape)

    def read(body: bytes) -> object:
        try:
            wanted = decoder.decode(body)
        except msgspec.MsgspecError:  # no object, or a number beyond the range of floats
            return json.loads(body)
        return {name: getattr(wanted, field) for field, name in names.items()}

    return read


def is_deep(openings: int, value: object) -> bool:
    """Whether `value`, whose JSON has so many `[` and `{`, is nested deeper than MAX_DEPTH."""
    if openings <= MAX_DEPTH:
        return False
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        return (each for each in value.values() if isinstance(each, Mapping | list))
    return (each for each in value if isinstance(each, Mapping | list)) if isinstance(value, Sequence) else iter(())
