import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.garmin import RawDocument, raw
from include.garmin.holdings import list_keys
from include.garmin.raw import RawWritten, read_raw, write_raw

NOW = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
DAY = date(2026, 2, 28)


def _document(body: bytes = b'{"a": 1}', kind: str = "day", day: date = DAY, name: str = "d") -> RawDocument:
    return RawDocument(kind, day, name, body)


def _keys(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    return list(list_keys(s3, bucket, prefix))


def test_a_document_is_kept_exactly_as_received(s3: Any, bucket: str) -> None:
    body = b'{ "b":2,\n"a" : 1.0}\r\n'
    assert write_raw(s3, bucket, "ann", [_document(body)], NOW) == RawWritten(written=1)
    (kept,) = read_raw(s3, bucket, "ann")
    assert (kept.body, kept.kind, kept.last_day, kept.name) == (body, "day", DAY, "d")
    assert (kept.athlete_id, kept.fetched_at) == ("ann", NOW)
    assert kept.key.startswith("raw/athlete_id=ann/day/2026/02/28/d.20260301t043000z.")


def test_a_rerun_writes_nothing(s3: Any, bucket: str) -> None:
    documents = [_document(), _document(kind="sleep"), _document(day=date(2025, 12, 31))]
    assert write_raw(s3, bucket, "ann", documents, NOW) == RawWritten(written=3)
    before = _keys(s3, bucket)
    assert write_raw(s3, bucket, "ann", documents, LATER) == RawWritten(unchanged=3)
    assert _keys(s3, bucket) == before


def test_the_same_content_twice_in_one_fetch_is_kept_once(s3: Any, bucket: str) -> None:
    assert write_raw(s3, bucket, "ann", [_document(), _document()], NOW) == RawWritten(written=1, unchanged=1)


def test_changed_content_is_kept_beside_the_old(s3: Any, bucket: str) -> None:
    for body, moment in ((b"[1]", NOW), (b"[2]", LATER), (b"[1]", LATER + timedelta(days=1))):
        assert write_raw(s3, bucket, "ann", [_document(body)], moment) == RawWritten(written=1)
    assert [document.body for document in read_raw(s3, bucket, "ann")] == [b"[1]", b"[2]", b"[1]"]


def test_corrupt_json_goes_to_quarantine_and_the_others_go_on(s3: Any, bucket: str) -> None:
    documents = [_document(b"{oops", name="bad"), _document(b"[" * 100_000, name="deep"), _document()]
    assert write_raw(s3, bucket, "ann", documents, NOW) == RawWritten(written=1, rejected=2)
    assert [document.name for document in read_raw(s3, bucket, "ann")] == ["d"]
    keys = _keys(s3, bucket, "quarantine/raw/athlete_id=ann/day/2026/02/28/bad.")
    assert [key.split(".", 2)[2] for key in keys] == ["body", "reason.json"]
    assert s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read() == b"{oops"
    note = json.loads(s3.get_object(Bucket=bucket, Key=keys[1])["Body"].read())
    assert note["reason"].startswith("not JSON: ") and note["bytes"] == 5 and note["name"] == "bad"


def test_quarantine_of_a_rerun_is_the_same(s3: Any, bucket: str) -> None:
    write_raw(s3, bucket, "ann", [_document(b"{oops")], NOW)
    before = _keys(s3, bucket)
    assert write_raw(s3, bucket, "ann", [_document(b"{oops")], LATER) == RawWritten(rejected=1)
    assert _keys(s3, bucket) == before


def test_too_large_a_body_goes_to_quarantine(s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "MAX_DOCUMENT_BYTES", 8)
    documents = [_document(b'"12345678"', name="large"), _document(b'"123456"')]
    assert write_raw(s3, bucket, "ann", documents, NOW) == RawWritten(written=1, rejected=1)
    (key,) = [key for key in _keys(s3, bucket, "quarantine/") if key.endswith("reason.json")]
    assert json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["reason"] == "larger than 8 bytes: 10"


def test_a_kind_that_the_layout_does_not_know_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ValueError, match="unknown kind of raw document 'gpx'"):
        write_raw(s3, bucket, "ann", [_document(kind="gpx")], NOW)


@pytest.mark.parametrize(("name", "kept"), [("a/../b c.ü", "a-b-c-"), ("", "document"), ("page-1_2", "page-1_2")])
def test_names_become_safe_parts_of_keys(s3: Any, bucket: str, name: str, kept: str) -> None:
    write_raw(s3, bucket, "ann", [_document(name=name)], NOW)
    assert [document.name for document in read_raw(s3, bucket, "ann")] == [kept]
    assert write_raw(s3, bucket, "ann", [_document(name=name)], LATER) == RawWritten(unchanged=1)


def test_reading_since_a_day_takes_that_day_and_later_ones(s3: Any, bucket: str) -> None:
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2)]
    write_raw(s3, bucket, "ann", [_document(day=day, kind=kind) for day in days for kind in ("day", "hrv")], NOW)
    found = [(document.kind, document.last_day) for document in read_raw(s3, bucket, "ann", since=days[1])]
    assert found == [(kind, day) for kind in ("day", "hrv") for day in days[1:]]


def test_an_unknown_athlete_has_no_documents(s3: Any, bucket: str) -> None:
    write_raw(s3, bucket, "ann", [_document()], NOW)
    assert list(read_raw(s3, bucket, "an")) == []


def test_foreign_files_under_the_prefix_are_left_alone(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="raw/athlete_id=ann/day/2026/02/28/notes.txt", Body=b"x")
    assert write_raw(s3, bucket, "ann", [_document()], NOW) == RawWritten(written=1)
    assert len(list(read_raw(s3, bucket, "ann"))) == 1
