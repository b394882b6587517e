import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from garminexport.backup import export_filename

from include.garmin import SourceError, UnknownAthlete, backup
from include.garmin.backup import BackupSource
from include.garmin.document import RawDocument
from include.garmin.raw import write_raw
from tests.garmin.fit_files import CYCLING, SETTINGS_FILE, activity_file

RUN = (101, datetime(2025, 5, 2, 5, 0, tzinfo=UTC))
RIDE = (102, datetime(2025, 5, 9, 16, 30, tzinfo=UTC))


def _summary(activity: tuple[int, datetime], start_local: str) -> bytes:
    value = {
        "activityId": activity[0],
        "activityTypeDTO": {"typeKey": "running"},
        "summaryDTO": {"startTimeLocal": start_local, "duration": 3600.0},
    }
    return json.dumps(value, indent=4).encode()


def _write(folder: Path, activity: tuple[int, datetime], export_format: str, body: bytes) -> Path:
    """As garminexport names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / export_filename(activity, export_format)
    path.write_bytes(body)
    return path


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    """A run and a ride, with everything that garmin-backup writes."""
    folder = tmp_path / "ann"
    for activity, local, sport in ((RUN, "2025-05-02T07:00:00.0", 1), (RIDE, "2025-05-09T18:30:00.0", CYCLING)):
        _write(folder, activity, "json_summary", _summary(activity, local))
        _write(folder, activity, "fit", activity_file(start=activity[1].replace(tzinfo=None), sport=sport))
        _write(folder, activity, "json_details", b'{"metricDescriptors": []}')
        _write(folder, activity, "gpx", b"<gpx/>")
        _write(folder, activity, "tcx", b"<tcx/>")
    (folder / ".not_found").write_text("2025-05-10T16:30:00+00:00_103.fit\n")
    return folder


def _fetch(folder: Path, start: date | None = None, end: date | None = None, **options: Any) -> list[RawDocument]:
    return list(BackupSource(folder).fetch(folder.name, start, end, **options))


def _names(documents: list[RawDocument]) -> list[str]:
    return [document.name for document in documents]


def test_summaries_are_handed_out_byte_for_byte_and_details_are_not(ann: Path) -> None:
    documents = _fetch(ann)
    assert _names(documents) == ["101", "101-fit", "102", "102-fit"]
    assert {document.kind for document in documents} == {"activity"}
    assert documents[0].body == _summary(RUN, "2025-05-02T07:00:00.0")
    assert documents[0].last_day == date(2025, 5, 2)


def test_a_fit_file_becomes_its_session(ann: Path) -> None:
    value = json.loads(_fetch(ann)[3].body)
    assert value["activityId"] == 102
    assert (value["fitSession"]["sport"], value["fitSession"]["vo2max"]) == ("cycling", 49.06)
    assert value["fitSession"]["start_local"] == "2025-05-09T18:30:00"


def test_names_that_windows_writes_are_known_too(tmp_path: Path) -> None:
    folder = tmp_path / "ann"
    folder.mkdir()
    (folder / "2025-05-02T05_00_00+00_00_101_summary.json").write_bytes(_summary(RUN, "2025-05-02T07:00:00.0"))
    (folder / "2025-05-02T05_00_00.250000+00_00_101.fit").write_bytes(activity_file())
    assert _names(_fetch(folder)) == ["101", "101-fit"]


def test_every_sub_folder_with_a_backup_is_an_athlete(ann: Path) -> None:
    _write(ann.parent / "bob", RUN, "fit", activity_file())
    (ann.parent / "notes").mkdir()
    assert BackupSource(ann.parent).athletes() == ["ann", "bob"]
    assert BackupSource(ann).athletes() == ["ann"]


def test_a_day_is_the_day_at_the_place(tmp_path: Path) -> None:
    late = (7, datetime(2025, 5, 2, 22, 30, tzinfo=UTC))
    _write(tmp_path / "ann", late, "json_summary", _summary(late, "2025-05-03T00:30:00.0"))
    _write(tmp_path / "ann", late, "fit", activity_file(start=datetime(2025, 5, 2, 22, 30)))
    _write(tmp_path / "bob", late, "fit", activity_file(start=datetime(2025, 5, 2, 22, 30)))
    assert [document.last_day for document in _fetch(tmp_path / "ann")] == [date(2025, 5, 3)] * 2
    assert [document.last_day for document in _fetch(tmp_path / "bob")] == [date(2025, 5, 3)]
    assert _fetch(tmp_path / "ann", date(2025, 5, 2), date(2025, 5, 2)) == []
    assert len(_fetch(tmp_path / "ann", date(2025, 5, 3), date(2025, 5, 3))) == 2


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (date(2025, 5, 3), None, ["102", "102-fit"]),
        (None, date(2025, 5, 8), ["101", "101-fit"]),
        (date(2025, 5, 3), date(2025, 5, 8), []),
        (date.min, date.max, ["101", "101-fit", "102", "102-fit"]),
    ],
)
def test_a_range_chooses_activities(ann: Path, start: date | None, end: date | None, names: list[str]) -> None:
    assert _names(_fetch(ann, start, end)) == names


def test_a_held_session_is_not_decoded_again(ann: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "read_sessions", _fail)
    asked: list[tuple[str, date, str]] = []
    documents = _fetch(ann, held=lambda *slot: bool(asked.append(slot) or slot[2].endswith("-fit")))
    assert _names(documents) == ["101", "102"]
    assert asked == [("activity", date(2025, 5, 2), "101-fit"), ("activity", date(2025, 5, 9), "102-fit")]


def test_a_held_session_without_summary_is_found_on_either_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "ann", RUN, "fit", activity_file())
    monkeypatch.setattr(backup, "read_sessions", _fail)
    assert _fetch(tmp_path / "ann", held=lambda _kind, day, _name: day == date(2025, 5, 3)) == []


def _fail(_body: bytes) -> None:
    raise AssertionError("decoded")


def test_of_a_chain_the_activity_that_began_with_the_file_has_its_id(tmp_path: Path) -> None:
    later = activity_file(start=datetime(2025, 5, 2, 23, 0), vo2max_raw=None)
    _write(tmp_path / "ann", RUN, "fit", later + activity_file(file_type=SETTINGS_FILE) + activity_file())
    documents = _fetch(tmp_path / "ann")
    assert _names(documents) == ["101-fit", "101-fit-2"]
    values = [json.loads(document.body) for document in documents]
    assert [value["activityId"] for value in values] == [101, "101-2"]
    assert [value["fitSession"].get("vo2max") for value in values] == [49.06, None]
    assert documents[1].last_day == date(2025, 5, 3)


def test_bytes_after_the_end_of_a_fit_file_cost_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "ann", RUN, "fit", activity_file() + b"\0" * 512)
    _write(tmp_path / "bob", RUN, "fit", activity_file())
    assert _fetch(tmp_path / "ann") == _fetch(tmp_path / "bob")


def test_a_zip_that_is_named_as_a_fit_file_is_told_to_be_one(tmp_path: Path) -> None:
    _write(tmp_path / "ann", RUN, "fit", b"PK\x03\x04")
    assert "a zip archive, not a FIT file: unpack it" in str(_fetch(tmp_path / "ann")[0].unreadable)


def test_an_activity_without_a_fit_file_is_no_error(tmp_path: Path) -> None:
    _write(tmp_path / "ann", RUN, "json_summary", _summary(RUN, "2025-05-02T07:00:00.0"))
    assert _names(_fetch(tmp_path / "ann")) == ["101"]


def test_of_two_summaries_of_one_activity_the_later_file_counts(tmp_path: Path) -> None:
    moved = (101, datetime(2025, 5, 2, 6, 0, tzinfo=UTC))
    old = _write(tmp_path / "ann", moved, "json_summary", _summary(moved, "2025-05-02T08:00:00.0"))
    os.utime(old, (1, 1))
    _write(tmp_path / "ann", RUN, "json_summary", _summary(RUN, "2025-05-02T07:00:00.0"))
    assert [document.body for document in _fetch(tmp_path / "ann")] == [_summary(RUN, "2025-05-02T07:00:00.0")]


def test_pages_of_the_activity_list_are_taken_too(ann: Path) -> None:
    page = json.dumps([{"activityId": 101, "startTimeLocal": "2025-05-02 07:00:00", "vO2MaxValue": 49.0}]).encode()
    (ann / "activity_list_0.json").write_bytes(page)
    (ann / "daily.json").write_text("[]")
    assert _fetch(ann)[-1] == RawDocument("activity_list", date(2025, 5, 2), "activity_list_0", page)
    assert "activity_list_0" not in _names(_fetch(ann, date(2025, 5, 3), None))


def _broken_json(ann: Path) -> str:
    _write(ann, RUN, "json_summary", b'{"activityId": 101, "summ')
    return "{"


def _deep_json(ann: Path) -> str:
    _write(ann, RUN, "json_summary", b"[" * 100_000)
    return "[["


def _broken_fit(ann: Path) -> str:
    _write(ann, RUN, "fit", activity_file()[:-3])
    return "2025-05-02T05:00:00+00:00_101.fit: truncated"


def _link_out(ann: Path) -> str:
    outside = ann.parent.parent / f"{ann.parent.name}-secret"
    outside.write_text("secret")
    path = _write(ann, RUN, "json_summary", b"")
    path.unlink()
    path.symlink_to(outside)
    return f"{path.name}: a link that leads out of the backup folder"


def _link_in_a_circle(ann: Path) -> str:
    path = _write(ann, RUN, "fit", b"")
    path.unlink()
    path.symlink_to(path)
    return f"{path.name}: "


def _link_to_nothing(ann: Path) -> str:
    path = _write(ann, RUN, "fit", b"")
    path.unlink()
    path.symlink_to(ann / "nothing")
    return f"{path.name}: cannot be read: No such file"


@pytest.mark.parametrize(
    "damage", [_broken_json, _deep_json, _broken_fit, _link_out, _link_in_a_circle, _link_to_nothing]
)
def test_a_file_that_cannot_be_used_is_counted_and_the_others_go_on(
    ann: Path, damage: Callable[[Path], str], s3: Any, bucket: str
) -> None:
    body = damage(ann)
    documents = _fetch(ann)
    written = write_raw(s3, bucket, "ann", documents, datetime(2025, 6, 1, tzinfo=UTC))
    assert (written.written, written.rejected) == (3, 1)
    kept = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/")["Contents"]]
    rejected = next(key for key in kept if key.endswith(".body"))
    assert s3.get_object(Bucket=bucket, Key=rejected)["Body"].read().decode().startswith(body)


def test_files_over_the_bounds_are_not_read_whole(ann: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "MAX_FIT_BYTES", 10)
    monkeypatch.setattr(backup, "MAX_DOCUMENT_BYTES", 20)
    assert [document.body.decode().partition(": ")[2] for document in _fetch(ann)[:2]] == [
        "larger than 20 bytes",
        "larger than 10 bytes",
    ]


def test_a_mended_fit_file_is_decoded_by_the_next_run(ann: Path, s3: Any, bucket: str) -> None:
    _broken_fit(ann)
    write_raw(s3, bucket, "ann", _fetch(ann), datetime(2025, 6, 1, tzinfo=UTC))
    _write(ann, RUN, "fit", activity_file())
    assert write_raw(s3, bucket, "ann", _fetch(ann), datetime(2025, 6, 2, tzinfo=UTC)).written == 1


@pytest.mark.parametrize(
    "name",
    ["2025-05-02T05:00:00+00:00_101.fit.part", "läufe.json", "2025-13-02T05:00:00+00:00_104.fit", "_summary.json",
     "2025-05-02T05:00:00+00:00_１０５.fit", "0001-01-01T00:00:00+00:00_106.fit"],
)  # fmt: skip
def test_other_names_are_ignored(ann: Path, name: str) -> None:
    (ann / name).write_bytes(b"?")
    assert len(_fetch(ann)) == 4


def test_what_is_no_backup_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing is not a folder: expected \{start\}_\{id\}_summary\.json"):
        BackupSource(tmp_path / "missing")
    (tmp_path / "only.gpx").write_text("<gpx/>")
    with pytest.raises(SourceError, match=r"holds no backup: expected \{start\}_\{id\}_summary\.json"):
        BackupSource(tmp_path)


def test_an_athlete_who_cannot_become_part_of_a_key_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "ann lee", RUN, "fit", activity_file())
    with pytest.raises(SourceError, match="ann lee: an athlete's folder is named with letters"):
        BackupSource(tmp_path)


def test_a_folder_that_is_a_link_out_is_refused(ann: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "eve").symlink_to(ann)
    with pytest.raises(SourceError, match="eve is a link that leads out"):
        BackupSource(tmp_path / "root")


def test_unknown_athletes_and_ranges_that_end_before_they_start_are_errors(ann: Path) -> None:
    source = BackupSource(ann)
    with pytest.raises(UnknownAthlete, match="there are ann"):
        source.fetch("eve", None, None)
    with pytest.raises(SourceError, match="start 2025-05-03 is after end 2025-05-02"):
        source.fetch("ann", date(2025, 5, 3), date(2025, 5, 2))
