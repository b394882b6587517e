"""A JSON list of any length as its items, one after another, each with its text exactly as it stands.

A member of usual size and sound JSON is cut by `msgspec`, which finds where items begin and end without making objects
of them. Any other is read by the standard library's scanner, one value at a time from a window that moves over the
stream: memory holds a window and one item. Text is kept rather than written anew, so that no digit of a number changes.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from include.garmin.export.measured import MIB, READ_BYTES, Unreadable
from include.garmin.export.sound_items import Head, is_deep, sound_items, value_reader

MAX_WHOLE_BYTES = 8 * MIB
"""A larger member is read through a window."""
MAX_ITEM_CHARACTERS = 4 * MIB
"""An activity with hundreds of splits has about 100 kB."""
EXCERPT_CHARACTERS = 500

_NO_SPACE = re.compile(r"[^ \t\n\r]")
_DECODE = json.JSONDecoder().raw_decode
_DECODE_LENIENT = json.JSONDecoder(strict=False).raw_decode
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f]")
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]{1,100})"\s*:')
_BAD_BYTES = re.compile(r"[\udc80-\udcff]+")
_LONGEST_TOKEN = 16
"""An error so close to the end of the window may be due to a word or a number that is not whole yet."""
_LONGEST_BEGINNING = 400
"""Of an item up to the colon behind its first key, with what stands before it."""


@dataclass(frozen=True)
class Item:
    """One element of the list: its bytes as received, and what they say.

    Of an object `value` may hold no other than the fields that were asked for.
    """

    body: bytes
    value: object


class NotItems(Unreadable):
    """The member is not the JSON that it should be, from some place on; `excerpt` is the text at that place."""

    def __init__(self, reason: str, excerpt: str) -> None:
        super().__init__(reason)
        self.excerpt = excerpt


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


OnDamage = Callable[[NotItems], object]


def items(
    stream: Stream,
    envelope: str | None = None,
    on_damage: OnDamage | None = None,
    fields: Sequence[str] | None = None,
) -> Iterator[Item]:
    """The items of `[item, …]`, or with an envelope those of `[{envelope: [item, …]}, …]`.

    With an envelope, Garmin may add to it or leave it out: other keys beside it are passed over, the list around it may
    be missing, and an object without it is taken for an item itself.

    A damaged item costs itself. Control characters in a text are written as JSON asks for, bytes that are not UTF-8
    become U+FFFD, and what is no JSON at all is left out: `on_damage` is told, and reading goes on with the next object
    that begins with the same key.

    Args:
        stream: the bytes of the member.
        envelope: the key whose lists hold the items.
        on_damage: is told of each damaged item.
        fields: those of an item's fields that its `value` has to hold; None: all.

    Raises:
        NotItems: where the text is something else and nothing that follows can be told apart; the items before it are
            good. Without `on_damage` at the first damaged item.
        Unreadable, SourceError: as `stream.read`.
    """
    head = Head(stream, MAX_WHOLE_BYTES)
    try:
        if (found := sound_items(head, envelope)) is not None:
            value_of = value_reader(fields)
            for body in map(bytes, found):
                yield Item(body, value_of(body))
        else:
            yield from _Window(head, on_damage).all_items(envelope)
    finally:
        found = None
        head.release()


class _Window:
    """The part of the text that is being read; what lies before `_at` is dropped when more is needed."""

    def __init__(self, stream: Stream, on_damage: OnDamage | None) -> None:
        self._stream = stream
        self._on_damage = on_damage
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._text, self._at, self._is_whole = "", 0, False
        self._pin: int | None = None
        """Where the text begins that is kept although it was read."""
        self._first_key: str | None = None
        self._item_characters = 0

    def all_items(self, envelope: str | None) -> Iterator[Item]:
        """The items of the whole text."""
        if envelope is None:
            yield from self.list_items()
        elif self.peek() == "{":
            yield from self.enveloped(envelope)
        else:
            for _ in self.elements("[", "]"):
                yield from self.enveloped(envelope)
        self.expect_end()

    def elements(self, opening: str, closing: str) -> Iterator[None]:
        """Stands before each element in turn, and behind `closing` at the end."""
        self.expect(opening)
        if self.peek() == closing:
            self._at += 1
            return
        while True:
            yield
            if self.peek() == closing:
                self._at += 1
                return
            self.expect(",")

    def list_items(self) -> Iterator[Item]:
        """The items of the list that begins here; those that are damaged are passed over."""
        self.expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            try:
                item = self.item()
                if self._is_list_of_items(item.value):
                    # A `[` too many: the list that it opens has swallowed all that follows.
                    self._at -= self._item_characters
                    raise self.wrong("expected '{', found '['")
            except NotItems as error:
                self._skip_damaged(error, least_junk=1)
                continue
            if self._first_key is None and isinstance(item.value, dict):
                self._first_key = next(iter(item.value), None)
            yield item
            if self.peek() == "]":
                self._at += 1
                return
            try:
                self.expect(",")
            except NotItems as error:
                self._skip_damaged(error, least_junk=0)

    def enveloped(self, envelope: str) -> Iterator[Item]:
        """The items in the object that begins here, or the object itself when it holds no envelope."""
        self.peek()
        self._pin, value, is_envelope = self._at, dict[str, object](), False
        for _ in self.elements("{", "}"):
            key = self.item().value
            self.expect(":")
            if key == envelope:
                self._pin, is_envelope = None, True
                yield from self.list_items()
            else:
                value[str(key)] = self.item().value
        pin, self._pin = self._pin, None
        if value and not is_envelope and pin is not None:
            yield Item(_body(_TEXT.sub(_escaped, self._text[pin : self._at])), value)

    def expect(self, character: str) -> None:
        found = self.peek()
        if found != character:
            raise self.wrong(f"expected {character!r}, found {ascii(found) if found else 'the end'}")
        self._at += 1

    def expect_end(self) -> None:
        if self.peek():
            raise self.wrong("goes on after its end")

    def item(self) -> Item:
        """The value here."""
        self.peek()
        decode = _DECODE
        while True:
            try:
                value, end = decode(self._text, self._at)
            except ValueError as error:
                if _is_control(error) and decode is _DECODE:
                    decode = _DECODE_LENIENT
                    continue
                if self._may_be_cut(error) and self._more():
                    continue
                raise self.wrong(getattr(error, "msg", str(error))) from error
            except RecursionError as error:
                raise self.wrong("is nested too deeply") from error
            text = self._text[self._at : end]
            # A number may go on behind the window: of `1e+` only the 1 is read.
            if len(self._text) - end < len("e+") + 1 and self._more():
                continue
            if is_deep(text.count("[") + text.count("{"), value):
                raise self.wrong("is nested too deeply")
            self._item_characters = len(text)
            self._at += len(text)
            return Item(_body(text if decode is _DECODE else _TEXT.sub(_escaped, text)), value)

    def wrong(self, reason: str) -> NotItems:
        return NotItems(f"is not JSON of the known shape: {reason}", self._text[self._at :][:EXCERPT_CHARACTERS])

    def peek(self) -> str:
        """The next character that is no space, without taking it; "" at the end."""
        while True:
            if found := _NO_SPACE.search(self._text, self._at):
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            if not self._more():
                return ""

    def _is_list_of_items(self, value: object) -> bool:
        if self._on_damage is None or self._first_key is None or not isinstance(value, list):
            return False
        return any(isinstance(each, dict) and next(iter(each), None) == self._first_key for each in value[:1])

    def _may_be_cut(self, error: ValueError) -> bool:
        """Whether the value may be whole when more of the stream is read."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _LONGEST_TOKEN

    def _skip_damaged(self, error: NotItems, least_junk: int) -> None:
        """Go to the next object that begins like the damaged one or like the first of the list.

        Args:
            error: what is wrong here.
            least_junk: 0 when the object here may be good and only the separator before it is not.

        Raises:
            NotItems: `error`, when nobody wants to hear of it or no such object follows.
        """
        own_key = _FIRST_KEY.match(self._text, self._at)
        keys = {re.escape(key) for key in (self._first_key, own_key and own_key[1]) if key}
        if self._on_damage is None or not keys:
            raise error
        begins = r"\{\s*\"(?:" + "|".join(sorted(keys)) + r")\"\s*:"
        # Behind a colon it would be a part of the damaged item. A separator itself may be what is damaged.
        following = re.compile(r"[\[\],}][^\"{}\[\]:]{0,8}(?=" + begins + ")")
        here = re.compile(rf"[^\"{{}}\[\]:]{{{least_junk},8}}(?=" + begins + ")").match(self._text, self._at)
        while (next_item := here or following.search(self._text, self._at)) is None:
            self._at = max(self._at, len(self._text) - _LONGEST_BEGINNING)
            if not self._more():
                raise error
        self._at = next_item.end()
        self._on_damage(error)

    def _more(self) -> bool:
        """Widen the window; False when the stream has ended."""
        dropped = self._at if self._pin is None else self._pin
        self._text, self._at = self._text[dropped:], self._at - dropped
        if self._pin is not None:
            self._pin = 0
        if len(self._text) > MAX_ITEM_CHARACTERS:
            raise self.wrong(f"an item has more than {MAX_ITEM_CHARACTERS} characters, or no end")
        while not self._is_whole:
            # Twice as much each time: an item that is tried again and again stays linear in its length.
            data = self._stream.read(max(READ_BYTES, len(self._text)))
            self._is_whole = not data
            if text := self._decoder.decode(data, self._is_whole):
                self._text += text
                return True
        return False


def _is_control(error: ValueError) -> bool:
    return isinstance(error, json.JSONDecodeError) and error.msg.startswith("Invalid control character")


def _body(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _BAD_BYTES.sub("\ufffd", text).encode(errors="replace")


def _escaped(text: re.Match[str]) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text[0])
