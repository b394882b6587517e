import io
import json
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.garmin import RawDocument, SourceError
from include.garmin.export import ExportSource, archive, measured
from include.garmin.raw import why_unreadable
from tests.garmin.export.builder import Account, write_zip, zip_of

NIGHTS = "DI_CONNECT/DI-Connect-Wellness/2024_1_sleepData.json"
MORE_NIGHTS = "DI_CONNECT/DI-Connect-Wellness/2025_1_sleepData.json"
NIGHT = json.dumps([{"calendarDate": "2024-03-01", "deepSleepSeconds": 60}])
LATER_NIGHT = json.dumps([{"calendarDate": "2025-03-01", "deepSleepSeconds": 60}])


def _documents(path: Path) -> list[RawDocument]:
    source = ExportSource(str(path))
    return list(source.fetch(source.athletes()[0], None, None))


def _good_and_bad(path: Path) -> tuple[list[str], str]:
    """Names of the documents that are JSON, and the text of the one that is not."""
    documents = _documents(path)
    (bad,) = [document for document in documents if why_unreadable(document.body)]
    assert bad.name.startswith("unreadable-")
    return [document.name for document in documents if document is not bad], bad.body.decode()


def _flipped(path: Path, member: str, at: int = 40) -> Path:
    """One bit of the packed bytes of `member` flipped."""
    with zipfile.ZipFile(path) as opened:
        entry = opened.getinfo(member)
    body = bytearray(path.read_bytes())
    body[entry.header_offset + 30 + len(member) + at] ^= 0x10
    path.write_bytes(body)
    return path


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "ann.zip"
    for body in (b"", b"PK", b"<html>login</html>", b"\x00" * 100_000):
        path.write_bytes(body)
        with pytest.raises(SourceError, match=r"ann\.zip: is no zip, or not a whole one \(.*\); download .* again"):
            _documents(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_zip_cut_short_is_refused_whole(tmp_path: Path, share: float) -> None:
    path = write_zip(tmp_path / "ann.zip", Account(days=20, activities=5))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(SourceError, match="is no zip, or not a whole one"):
        _documents(path)


def test_a_zip_without_di_connect_says_what_an_export_is(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ann.zip", {"activities.csv": "a,b"})
    with pytest.raises(SourceError, match="holds no folder DI_CONNECT; an account export is the zip that Garmin sends"):
        _documents(path)


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT})
    body = path.read_bytes()
    path.write_bytes(body.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"))
    with pytest.raises(SourceError, match=r"sleepData\.json' is encrypted; zip the export without a password"):
        _documents(path)


def test_entries_that_overlap(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT, MORE_NIGHTS: NIGHT})
    body = bytearray(path.read_bytes())
    second = body.rindex(b"PK\x01\x02")
    struct.pack_into("<I", body, second + 42, 0)  # where its local header begins
    path.write_bytes(body)
    with pytest.raises(SourceError, match=r"sleepData\.json' overlaps .*sleepData\.json"):
        _documents(path)


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    path = zip_of(tmp_path / "ann.zip", {f"DI_CONNECT/{number}": "" for number in range(11)})
    with pytest.raises(SourceError, match="holds 11 entries; an account export has at most 10"):
        _documents(path)


def test_a_list_of_entries_without_bounds_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100_000)
    path = zip_of(tmp_path / "ann.zip", {f"DI_CONNECT/{number:060}": "" for number in range(1_000)})
    with pytest.raises(SourceError, match="its list of entries is larger than 100000 bytes"):
        _documents(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_packed_otherwise_is_told_and_the_others_go_on(tmp_path: Path, method: int) -> None:
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT})
    with zipfile.ZipFile(path, "a", method) as opened:
        opened.writestr(MORE_NIGHTS, LATER_NIGHT)
    names, bad = _good_and_bad(path)
    assert names == ["sleep-2024"]
    assert f"{MORE_NIGHTS!r} cannot be opened: packed by method" in bad


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("nights", [1, 20_000])
def test_a_member_with_a_wrong_checksum_gives_no_item_at_all(tmp_path: Path, method: int, nights: int) -> None:
    many = json.dumps(json.loads(NIGHT) * nights)
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: many, MORE_NIGHTS: LATER_NIGHT}, method)
    names, bad = _good_and_bad(_flipped(path, NIGHTS))
    assert names == ["sleep-2025"]
    assert bad.startswith(f"export member {NIGHTS!r} is damaged: ")


@pytest.mark.parametrize("broken", ["", "<html>", "{}", '"text"', "null", '{"a": [', "\ufeff", "[" * 100_000])
def test_a_member_that_is_no_list_is_told_and_the_others_go_on(tmp_path: Path, broken: str) -> None:
    names, bad = _good_and_bad(zip_of(tmp_path / "ann.zip", {NIGHTS: broken, MORE_NIGHTS: LATER_NIGHT}))
    assert names == ["sleep-2025"]
    assert bad.startswith(f"export member {NIGHTS!r} is not JSON of the known shape: ")
    assert len(bad) < 1_200


def test_items_before_the_break_are_kept(tmp_path: Path) -> None:
    names, bad = _good_and_bad(zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT[:-1] + ', {"calendarDate": "2024-03'}))
    assert names == ["sleep-2024"]
    assert bad.endswith('{"calendarDate": "2024-03')


def test_a_bomb_is_refused_by_what_comes_out(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT, MORE_NIGHTS: b"[" + b" " * 50_000_000 + b"]"})
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"2025_1_sleepData\.json' unpacks to more than \d+ bytes from \d+"):
        _documents(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_member_larger_than_any_is_refused_however_badly_it_packs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "MAX_MEMBER_BYTES", 100_000)
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: random.Random(1).randbytes(200_000)})
    with pytest.raises(SourceError, match="unpacks to more than 100000 bytes"):
        _documents(path)


def test_all_members_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured.Allowance, "__init__", lambda self: setattr(self, "left", 100))
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT, MORE_NIGHTS: NIGHT})
    with pytest.raises(SourceError, match="the export unpacks to more than any account holds"):
        _documents(path)


def test_a_claim_of_ten_gigabytes_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ann.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(NIGHTS, NIGHT)
        opened.getinfo(NIGHTS).file_size = 10 * 2**30
    tracemalloc.start()
    documents = _documents(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert [document.name for document in documents] in (["sleep-2024"], ["unreadable-2024_1_sleepData"])


def test_names_that_lead_elsewhere_are_not_read(tmp_path: Path) -> None:
    others = {"../DI_CONNECT/a/1_sleepData.json": "x", "DI_CONNECT/../../1_sleepData.json": "x"}
    path = zip_of(tmp_path / "ann.zip", {NIGHTS: NIGHT, **others, "/DI_CONNECT/a/2_sleepData.json": "x"})
    assert [document.name for document in _documents(path)] == ["sleep-2024"]
    assert sorted(tmp_path.iterdir()) == [path]


def test_names_written_by_windows(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ann.zip", {NIGHTS.replace("/", "\\"): NIGHT})
    assert [document.name for document in _documents(path)] == ["sleep-2024"]


@pytest.fixture(scope="module")
def valid() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(NIGHTS, NIGHT)
        opened.writestr(MORE_NIGHTS, LATER_NIGHT, zipfile.ZIP_STORED)
        runs = [{"activityId": number, "startTimeLocal": 1.7e12 + number * 1e8} for number in range(40)]
        path = "DI_CONNECT/DI-Connect-Fitness/a_0_summarizedActivities.json"
        opened.writestr(path, json.dumps([{"summarizedActivitiesExport": runs}]))
    return buffer.getvalue()


@given(data=st.data())
@settings(max_examples=250, deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_give_documents_or_a_clear_refusal(valid: bytes, tmp_path: Path, data: st.DataObject) -> None:
    body = bytearray(valid)
    # The list of entries and the end record are where a zip's claims stand: they are hit more often.
    places = st.integers(0, len(body) - 1) | st.integers(valid.index(b"PK\x01\x02"), len(body) - 1)
    for at, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        body[at] = byte
    cut = data.draw(st.sampled_from([None, None, None, len(body) // 2, len(body) - 3]))
    path = tmp_path / "fuzz.zip"
    path.write_bytes(body[:cut])
    tracemalloc.start()
    try:
        documents = _documents(path)
    except SourceError as error:
        assert str(error)
    else:
        assert all(document.kind == "export" for document in documents)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12_000_000
