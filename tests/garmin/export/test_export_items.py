import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.garmin.export import items as module
from include.garmin.export.items import MAX_DEPTH, NotItems, items

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Drip(io.RawIOBase):
    """Gives a few bytes at a time, whatever is asked for, so that every item is cut somewhere."""

    def __init__(self, body: bytes, step: int) -> None:
        self._body, self._step = io.BytesIO(body), step

    def read(self, size: int = -1) -> bytes:
        return self._body.read(self._step)


def _read(body: bytes, envelope: str | None = None, step: int = 1 << 20) -> list[Any]:
    return [item.value for item in items(Drip(body, step), envelope)]


@given(st.lists(JSON_VALUES, max_size=6), st.integers(1, 30), st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_items_are_those_of_the_list_wherever_it_is_cut(
    values: list[Any], step: int, indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    assert _read(body, step=step) == values


@given(st.lists(st.lists(JSON_VALUES, max_size=4), max_size=3), st.integers(1, 30))
@settings(max_examples=80, deadline=None)
def test_the_items_within_envelopes_are_all_found(parts: list[list[Any]], step: int) -> None:
    body = json.dumps([{"activities": part} for part in parts]).encode()
    assert _read(body, "activities", step) == [value for part in parts for value in part]


def test_text_of_an_item_stays_as_it_stands() -> None:
    texts = [b'{"a": 1.10, "b":1e2}', b'{ "id" :12345678901234567890 }', '{"n":"Lœp \\u00e9"}'.encode(), b"-0.0"]
    found = list(items(io.BytesIO(b"\xef\xbb\xbf [" + b" ,\n".join(texts) + b"]\n")))
    assert [item.body for item in found] == texts


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"[{}]", b'[{"activities": []}]', b'[{"activities": [ ]}, {}]'])
def test_an_envelope_without_items_has_none(body: bytes) -> None:
    assert _read(body, "activities") == []


@pytest.mark.parametrize(
    ("body", "good", "reason"),
    [
        (b"", [], "expected '\\[', found the end"),
        (b"\x00\x01", [], "expected '\\['"),
        (b'{"a": 1}', [], "expected '\\[', found '{'"),
        (b"<html>", [], "expected '\\['"),
        (b"[1, 2", [1, 2], "expected ',', found the end"),
        (b'[{"a": 1}, {"a": "x', [{"a": 1}], "Unterminated string"),
        (b"[1, ]", [1], "Expecting value"),
        (b"[1 2]", [1], "expected ',', found '2'"),
        (b"[1] [2]", [1], "goes on after its end"),
        (b'[1, "\xff"]', [], "is not UTF-8"),
        (b'["\xe2\x82', [], "is not UTF-8|Unterminated"),
        (b"[" + b"9" * 5000 + b"]", [], "integer string conversion"),
    ],
)
def test_what_is_no_list_is_refused_where_it_breaks(body: bytes, good: list[Any], reason: str) -> None:
    found: list[Any] = []
    with pytest.raises(NotItems, match=reason):
        found.extend(item.value for item in items(io.BytesIO(body)))
    assert found == good


@pytest.mark.parametrize(
    "body", [b'[{"steps": [1]}]', b"[[1]]", b'[{"activities": {"a": 1}}]', b'[{"activities" [1]}]']
)
def test_another_shape_than_the_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(NotItems, match="not JSON of the known shape: expected"):
        _read(body, "activities")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 1_000_000])
def test_nesting_is_bounded(depth: int) -> None:
    with pytest.raises(NotItems, match="nested too deeply"):
        _read(b"[" + b"[" * depth + b"]" * depth + b"]")
    with pytest.raises(NotItems, match="nested too deeply"):
        _read(b"[" + b'{"a":' * depth + b"1" + b"}" * depth + b"]")


def test_wide_items_are_no_deep_items() -> None:
    value = [{"laps": [{"n": [n]} for n in range(200)]}]
    assert _read(json.dumps(value).encode()) == value
    inner: Any = 1
    for _ in range(MAX_DEPTH):
        inner = [inner]
    assert _read(json.dumps([inner]).encode()) == [inner]


def test_an_item_without_end_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ITEM_CHARACTERS", 500_000)

    class Endless(io.RawIOBase):
        begun = False

        def read(self, size: int = -1) -> bytes:
            body, self.begun = b"x" * size if self.begun else b'["', True
            return body

    tracemalloc.start()
    with pytest.raises(NotItems, match="more than 500000 characters, or no end"):
        list(items(Endless()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_the_excerpt_is_bounded_and_begins_at_the_break() -> None:
    with pytest.raises(NotItems) as raised:
        _read(b"[1, oops" + b"x" * 10_000)
    assert raised.value.excerpt.startswith("oopsx")
    assert len(raised.value.excerpt) == 500
