import contextlib
import io
import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.garmin.export import items as module
from include.garmin.export.items import NotItems, items
from include.garmin.export.sound_items import MAX_DEPTH, Head, sound_items

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


@given(st.lists(JSON_VALUES, max_size=6), st.sampled_from([None, "activities"]), st.sampled_from([None, 1]))
@settings(max_examples=150, deadline=None)
def test_both_ways_of_cutting_give_the_same_items(values: list[Any], envelope: str | None, indent: int | None) -> None:
    body = json.dumps([{envelope: values}] if envelope else values, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(module, "MAX_WHOLE_BYTES", 0)
        through_a_window = [item.body for item in items(Drip(body, 1 << 20), envelope)]
    at_once = sound_items(Head(io.BytesIO(body), 1 << 20), envelope)
    assert at_once is None or list(map(bytes, at_once)) == through_a_window
    assert at_once is not None or "\\ud" in body.decode()


def test_only_the_fields_that_are_asked_for_are_read() -> None:
    body = b'[{"a": 1, "b": {"c": 2}}, 3, {"b": 1e400}]'
    found = [item.value for item in items(io.BytesIO(body), None, None, ["b"])]
    assert found == [{"b": {"c": 2}}, 3, {"b": math.inf}]


def test_a_list_that_stands_twice_under_its_key_is_read_twice() -> None:
    assert _read(b'[{"activities": [1], "activities": [2]}]', "activities") == [1, 2]


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
        (b'["\xe2\x82', [], "Unterminated"),
        ('[{"a": "ö"}]'.encode("utf-16"), [], "expected '\\['"),
        (b"[" + b"9" * 5000 + b"]", [], "integer string conversion"),
    ],
)
def test_what_is_no_list_is_refused_where_it_breaks(body: bytes, good: list[Any], reason: str) -> None:
    found: list[Any] = []
    with pytest.raises(NotItems, match=reason):
        found.extend(item.value for item in items(io.BytesIO(body)))
    assert found == good


@pytest.mark.parametrize(
    "body", [b"[[1]]", b"[1]", b"1", b'[{"activities": {"a": 1}}]', b'[{"activities" [1]}]', b'[{"steps": [1]]']
)
def test_another_shape_than_the_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(NotItems, match="not JSON of the known shape: expected"):
        _read(body, "activities")


RUNS = [{"activityId": number, "name": f"run {number}", "splits": [{"n": 1}, {"n": 2}]} for number in range(5)]


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "value",
    [
        {"activities": RUNS},
        RUNS,
        [{"version": 2, "made": {"by": ["x"]}, "activities": RUNS[:2], "pages": [1]}, {"activities": RUNS[2:]}],
        [{}, {"activities": []}, *RUNS],
    ],
    ids=["object", "bare", "more keys", "mixed"],
)
def test_what_garmin_may_add_to_the_envelope_or_leave_out_loses_no_item(value: Any, step: int) -> None:
    body = json.dumps(value).encode()
    found = list(items(Drip(body, step), "activities"))
    assert [item.value for item in found] == RUNS
    assert [json.loads(item.body) for item in found] == RUNS


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("good", "bad", "name"),
    [
        (b'"run 3"', b'"run\t3"', "run\t3"),
        (b'"run 3"', b'"run\x003\n\\n"', "run\x003\n\n"),
        (b'"run 3"', b'"run\xff\xfe3"', "run\ufffd3"),
        (b'"run 3"', b'"\xe2\x82"', "\ufffd"),
    ],
    ids=["tab", "zero and line end", "latin 1", "cut character"],
)
def test_a_damaged_character_in_a_text_costs_no_item(good: bytes, bad: bytes, name: str, step: int) -> None:
    body = json.dumps([{"activities": RUNS}]).encode().replace(good, bad)
    found = list(items(Drip(body, step), "activities"))
    assert [item.value["activityId"] for item in found] == [0, 1, 2, 3, 4]  # type: ignore[index]
    assert json.loads(found[3].body)["name"] == name
    assert [item.value for item in found if item is not found[3]] == [run for run in RUNS if run != RUNS[3]]


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"run 3"', b'"run 3'),
        (b'"run 3"', b'run 3"'),
        (b'"run 3"', b'"my "big" run 3"'),
        (b'"run 3"', b'"run \\x 3"'),
        (b'"run 3"', b'"run \\u12 3"'),
        (b'"run 3"', b"NULL"),
        (b'"run 3"', b""),
        (b'"activityId": 3', b'"activityId": 3-'),
        (b'"activityId": 3', b'activityId": 3'),
        (b'{"activityId": 3', b'"activityId": 3'),
        (b'"run 3"', b"[" * 100 + b"]" * 100),
        (b'"run 3"', b"9" * 5000),
    ],
)
def test_an_item_that_is_no_json_costs_itself_and_is_told(good: bytes, bad: bytes, step: int) -> None:
    body = json.dumps([{"activities": RUNS[:2]}, {"activities": RUNS[2:]}]).encode().replace(good, bad)
    damage: list[NotItems] = []
    found = [item.value for item in items(Drip(body, step), "activities", damage.append)]
    assert [run for run in found if run in RUNS] == [run for run in RUNS if run != RUNS[3]]
    assert damage and all(str(each).startswith("is not JSON") for each in damage)


@pytest.mark.parametrize("between", [b" ", b";", b", ,", b"\x00", b"},", b"]"])
def test_a_damaged_separator_costs_no_item(between: bytes) -> None:
    texts = [json.dumps(run).encode() for run in RUNS]
    body = b"[" + b", ".join(texts[:3]) + between + b", ".join(texts[3:]) + b"]"
    damage: list[NotItems] = []
    found: list[Any] = []
    try:
        found.extend(item.value for item in items(io.BytesIO(body), None, damage.append))
    except NotItems as error:
        damage.append(error)
    assert found[:3] == RUNS[:3] and damage
    assert found == RUNS or between in (b"},", b"]")


def test_damage_that_nothing_known_follows_ends_the_member() -> None:
    body = json.dumps([*RUNS, {"activityId": 5}]).encode().replace(b'"activityId": 5}', b'"activityId": 5')
    found: list[Any] = []
    damage: list[NotItems] = []
    with pytest.raises(NotItems):
        found.extend(item.value for item in items(io.BytesIO(body), None, damage.append))
    assert found == RUNS and damage == []


@given(
    st.integers(0, 10_000),
    st.binary(min_size=1, max_size=3),
    st.integers(1, 40),
    st.sampled_from([None, "activities"]),
)
@settings(max_examples=300, deadline=None)
def test_damage_anywhere_costs_at_most_the_items_beside_it(
    at: int, bad: bytes, step: int, envelope: str | None
) -> None:
    runs = [{"activityId": number, "name": f"run {number}", "splits": [{"n": 1}]} for number in range(30)]
    body = json.dumps([{"activities": runs}] if envelope else runs).encode()
    place = len(body) // 4 + at % (len(body) // 2)  # neither in the first items nor in the last
    body = body[:place] + bad + body[place + len(bad) :]
    found: list[Any] = []
    with contextlib.suppress(NotItems):
        found.extend(item.value for item in items(Drip(body, step), envelope, lambda _: None))
    assert found[:6] == runs[:6]
    whole = [run for run in runs if run in found]
    assert len(whole) >= 27 or b"]" in bad


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
    monkeypatch.setattr(module, "MAX_WHOLE_BYTES", 500_000)

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
