import json
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.curate import curate
from include.garmin.document import RawDocument
from include.garmin.export import uploaded
from include.garmin.export.measured import Member
from include.garmin.export.source import ExportSource
from include.garmin.export.uploaded import uploaded_metrics
from include.garmin.raw import RawWritten, read_raw, write_raw
from tests.garmin.export.builder import UPLOADS, Account, uploaded_zip, write_zip, zip_of
from tests.garmin.fit_files import activity_file, metrics_file

EVENING = datetime(2024, 5, 3, 18)
METRICS = metrics_file((EVENING, 50.31, 49.87))


def _member(path: str, body: bytes, packed_bytes: int | None = None) -> Member:
    return Member(path, len(body) if packed_bytes is None else packed_bytes, lambda: BytesIO(body))


def _documents(*bodies: bytes, name: str = "UploadedFiles_{}.zip") -> list[RawDocument]:
    members = [_member(f"{UPLOADS}/{name.format(number)}", body) for number, body in enumerate(bodies)]
    return list(uploaded_metrics(members, None, None))


def _updates(documents: list[RawDocument]) -> list[Any]:
    return [item["fitMaxMet"] for each in documents if each.unreadable is None for item in json.loads(each.body)]


def _reasons(documents: list[RawDocument]) -> list[str]:
    return [each.unreadable for each in documents if each.unreadable is not None]


def test_metrics_files_are_found_by_their_first_bytes_among_other_files() -> None:
    documents = _documents(uploaded_zip([activity_file(records=50), METRICS, b"notes"]))
    assert [(each.kind, each.name, each.last_day) for each in documents] == [
        ("max_metrics", "fit-metrics-2024q2", date(2024, 5, 3))
    ]
    assert _updates(documents)[0]["vo2max_whole"] == 50.0


def test_metrics_files_are_found_by_their_names() -> None:
    unknown_type = metrics_file((EVENING, 50.31, None), file_type=99)
    assert len(_updates(_documents(uploaded_zip([unknown_type], name="{}_METRICS.fit")))) == 1
    assert _documents(uploaded_zip([unknown_type])) == []


def test_the_same_update_in_several_files_and_zips_is_one_in_any_order() -> None:
    later = metrics_file((EVENING, 50.31, 49.87), (EVENING + timedelta(days=1), 50.4, None))
    one, other = uploaded_zip([METRICS, METRICS]), uploaded_zip([later])
    assert len(_updates(_documents(one, other))) == 2
    assert _documents(one, other) == _documents(other, one)


def test_a_file_that_lies_beside_the_zips_is_read_too() -> None:
    assert len(_updates(_documents(METRICS, name="{}_METRICS.fit"))) == 1


def test_an_update_that_is_not_within_the_range_is_left_out() -> None:
    members = [_member(f"{UPLOADS}/a.zip", uploaded_zip([METRICS]))]
    assert list(uploaded_metrics(members, date(2024, 6, 1), None)) == []
    assert len(list(uploaded_metrics(members, date(2024, 5, 3), date(2024, 5, 3)))) == 1


def _encrypted(body: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(body)) as archive:
        at = archive.infolist()[0].header_offset
        start = archive.start_dir
    changed = bytearray(body)
    changed[at + 6] |= 1
    changed[start + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"PK\x03\x04 no zip", "cannot be read"),
        (uploaded_zip([METRICS])[:-30], "cannot be read"),
        (b"", "cannot be read"),
        (uploaded_zip([METRICS[:-3]]), "truncated"),
        (uploaded_zip([METRICS[:-2] + b"\0\0"]), "wrong CRC"),
        (uploaded_zip([METRICS + b"\0" * (1024 * 1024)], name="{}_METRICS.fit"), "larger than"),
        (_encrypted(uploaded_zip([METRICS])), "encrypted"),
    ],
)
def test_what_is_damaged_takes_no_other_with_it_and_tells_why(body: bytes, reason: str) -> None:
    documents = _documents(body, uploaded_zip([metrics_file((EVENING, 51.0, None))]))
    assert len(_updates(documents)) == 1
    (told,) = _reasons(documents)
    assert reason in told and "\n" not in told


def test_damage_within_an_entry_is_found_by_its_checksum() -> None:
    body = bytearray(uploaded_zip([METRICS, metrics_file((EVENING, 51.0, None))]))
    with zipfile.ZipFile(BytesIO(body)) as archive:
        body[archive.infolist()[0].header_offset + 60] ^= 0xFF
    documents = _documents(bytes(body))
    assert len(_updates(documents)) == 1
    assert "is damaged" in _reasons(documents)[0]


def test_overlapping_entries_are_refused() -> None:
    body = uploaded_zip([METRICS, METRICS])
    with zipfile.ZipFile(BytesIO(body)) as archive:
        start = archive.start_dir
        second = start + 46 + len(archive.infolist()[0].filename)
    # The second entry is said to lie where the first does.
    changed = body[: second + 42] + b"\0\0\0\0" + body[second + 46 :]
    assert "overlaps" in _reasons(_documents(changed))[0]


def test_what_unpacks_beyond_all_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "RATIO_FREE_BYTES", 100)
    body = uploaded_zip([METRICS] * 3)
    documents = list(uploaded_metrics([_member(f"{UPLOADS}/a.zip", body, packed_bytes=1)], None, None))
    assert "unpacks to more than 300 bytes from 1" in _reasons(documents)[0]


def test_a_long_list_of_entries_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "MAX_DIRECTORY_BYTES", 100)
    assert "list of entries is larger" in _reasons(_documents(uploaded_zip([METRICS] * 5)))[0]


def test_zips_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "MAX_ZIPS", 1)
    documents = _documents(uploaded_zip([METRICS]), uploaded_zip([METRICS]))
    assert "more uploads than any account holds" in _reasons(documents)[0]


def test_memory_does_not_grow_with_the_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "_TAIL_BYTES", 64 * 1024)
    monkeypatch.setattr(uploaded, "READ_BYTES", 16 * 1024)
    activity = activity_file(records=300)
    noise = [activity + bytes([number]) * 7 for number in range(200)]
    stored = BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        for number, body in enumerate([*noise, METRICS]):
            archive.writestr(f"{number}.fit", body)
    members = [_member(f"{UPLOADS}/a.zip", stored.getvalue())]
    list(uploaded_metrics(members, None, None))
    tracemalloc.start()
    try:
        assert len(_updates(list(uploaded_metrics(members, None, None)))) == 1
        assert tracemalloc.get_traced_memory()[1] < stored.tell() / 4
    finally:
        tracemalloc.stop()


def test_each_zip_is_read_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "_TAIL_BYTES", 5000)
    monkeypatch.setattr(uploaded, "READ_BYTES", 512)
    body, opened = uploaded_zip([METRICS] * 40), []

    def begin() -> BytesIO:
        opened.append(1)
        return BytesIO(body)

    assert len(_updates(list(uploaded_metrics([Member(f"{UPLOADS}/a.zip", len(body), begin)], None, None)))) == 1
    assert len(opened) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=8), st.integers(0, 900))
def test_any_change_of_a_zip_is_read_or_told(changes: list[tuple[int, int]], length: int) -> None:
    body = bytearray(uploaded_zip([METRICS, activity_file()]))
    for at, value in changes:
        body[at % len(body)] = value
    for document in _documents(bytes(body[: len(body) - length % 2 * length])):
        assert document.unreadable is None or "\n" not in document.unreadable


def test_an_export_with_metrics_files_gives_tenths_of_both_series(tmp_path: Path, s3: Any, bucket: str) -> None:
    path = write_zip(tmp_path / "ann.zip", Account(days=30, activities=8, has_vo2max=False, has_metrics=True))
    source = ExportSource(str(path))
    written = write_raw(s3, bucket, "ann", source.fetch("ann", None, None), datetime(2025, 6, 1, tzinfo=UTC))
    assert written.rejected == 0
    table = curate(read_raw(s3, bucket, "ann")).vo2max
    assert len(table) == 10
    first = table.iloc[0]
    assert (first["vo2max"], first["is_precise"], first["activity_vo2max"]) == (50.0, True, 49.5)
    assert table["vo2max"].iloc[1] == 50.0 and table["is_precise"].all()
    again = write_raw(s3, bucket, "ann", source.fetch("ann", None, None), datetime(2025, 6, 2, tzinfo=UTC))
    assert again == RawWritten(unchanged=written.written)


def test_an_unpacked_export_gives_the_same(tmp_path: Path) -> None:
    contents = {f"{UPLOADS}/UploadedFiles_0-_Part1.zip": uploaded_zip([METRICS])}
    zipped = zip_of(tmp_path / "ann.zip", contents)
    for path, body in contents.items():
        (tmp_path / "bob" / path).parent.mkdir(parents=True)
        (tmp_path / "bob" / path).write_bytes(body)
    of_zip = list(ExportSource(str(zipped)).fetch("ann", None, None))
    assert list(ExportSource(str(tmp_path / "bob")).fetch("bob", None, None)) == of_zip
    assert len(of_zip) == 1
