"""A JSON list of any length as its items, one after another, each with its text exactly as it stands.

The standard library's scanner reads one value at a time from a window that moves over the stream: memory holds a
window and one item. Text is kept rather than written anew, so that no digit of a number changes.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from include.garmin.export.measured import MIB, READ_BYTES, Unreadable

MAX_ITEM_CHARACTERS = 4 * MIB
"""An activity with hundreds of splits has about 100 kB."""
MAX_DEPTH = 64
"""Of lists and objects in each other, within an item; Garmin's have at most 8."""
EXCERPT_CHARACTERS = 500

_NO_SPACE = re.compile(r"[^ \t\n\r]")
_DECODE = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Item:
    """One element of the list: its bytes as received, and what they say."""

    body: bytes
    value: object


class NotItems(Unreadable):
    """The member is not the JSON that it should be, from some place on; `excerpt` is the text at that place."""

    def __init__(self, reason: str, excerpt: str) -> None:
        super().__init__(reason)
        self.excerpt = excerpt


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def items(stream: Stream, envelope: str | None = None) -> Iterator[Item]:
    """The items of `[item, …]`, or with an envelope those of `[{envelope: [item, …]}, …]`.

    Raises:
        NotItems: at the first place where the text is something else; the items before it are good.
        Unreadable, SourceError: as `stream.read`.
    """
    window = _Window(stream)
    for _ in window.elements("[", "]"):
        if envelope is None:
            yield window.item()
            continue
        for _ in window.elements("{", "}"):
            if (key := window.item().value) != envelope:
                raise window.wrong(f"expected {envelope!r}, found {str(key)[:40]!r}")
            window.expect(":")
            for _ in window.elements("[", "]"):
                yield window.item()
    window.expect_end()


class _Window:
    """The part of the text that is being read; what lies before `_at` is dropped when more is needed."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._is_whole = "", 0, False

    def elements(self, opening: str, closing: str) -> Iterator[None]:
        """Stands before each element in turn, and behind `closing` at the end."""
        self.expect(opening)
        if self._next() == closing:
            self._at += 1
            return
        while True:
            yield
            if self._next() == closing:
                self._at += 1
                return
            self.expect(",")

    def expect(self, character: str) -> None:
        found = self._next()
        if found != character:
            raise self.wrong(f"expected {character!r}, found {repr(found) if found else 'the end'}")
        self._at += 1

    def expect_end(self) -> None:
        if self._next():
            raise self.wrong("goes on after its end")

    def item(self) -> Item:
        """The value here."""
        self._next()
        while True:
            try:
                value, end = _DECODE(self._text, self._at)
            except ValueError as error:
                if self._more():
                    continue
                raise self.wrong(getattr(error, "msg", str(error))) from error
            except RecursionError as error:
                raise self.wrong("is nested too deeply") from error
            text = self._text[self._at : end]
            # A number may go on behind the window: of `1e+` only the 1 is read.
            if len(self._text) - end < len("e+") + 1 and self._more():
                continue
            if _is_deep(text, value):
                raise self.wrong("is nested too deeply")
            self._at += len(text)
            return Item(text.encode(), value)

    def wrong(self, reason: str) -> NotItems:
        return NotItems(f"is not JSON of the known shape: {reason}", self._text[self._at :][:EXCERPT_CHARACTERS])

    def _next(self) -> str:
        """The next character that is no space, without taking it; "" at the end."""
        while True:
            if found := _NO_SPACE.search(self._text, self._at):
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Widen the window; False when the stream has ended."""
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > MAX_ITEM_CHARACTERS:
            raise self.wrong(f"an item has more than {MAX_ITEM_CHARACTERS} characters, or no end")
        while not self._is_whole:
            # Twice as much each time: an item that is tried again and again stays linear in its length.
            data = self._stream.read(max(READ_BYTES, len(self._text)))
            self._is_whole = not data
            try:
                text = self._decoder.decode(data, self._is_whole)
            except UnicodeDecodeError as error:
                raise self.wrong(f"is not UTF-8: {error.reason}") from error
            if text:
                self._text += text
                return True
        return False


def _is_deep(text: str, value: object) -> bool:
    """Whether `value`, whose JSON is `text`, is nested deeper than MAX_DEPTH."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
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
