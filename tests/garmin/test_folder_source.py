import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.garmin import SourceError, UnknownAthlete, folder
from include.garmin.document import NO_DAY
from include.garmin.folder import FolderSource

RUN = {"activityId": 1, "startTimeLocal": "2025-05-02 07:00:00", "activityType": {"typeKey": "running"}}
LATER_RUN = {**RUN, "activityId": 2, "startTimeLocal": "2025-05-09 07:00:00"}
DAY = {"calendarDate": "2025-05-03", "totalSteps": 9000}


def _athlete(root: Path, name: str, activities: object = (RUN, LATER_RUN), daily: object = None) -> Path:
    path = root / name
    path.mkdir(parents=True)
    (path / "activities.json").write_text(json.dumps(activities))
    if daily is not None:
        (path / "daily.json").write_text(json.dumps(daily))
    return path


def test_no_such_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing is not a folder"):
        FolderSource(tmp_path / "missing")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("[]")
    with pytest.raises(SourceError, match="file is not a folder"):
        FolderSource(tmp_path / "file")


def test_a_folder_without_athletes_says_what_it_expects(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"holds no athlete: expected activities\.json or \*/activities\.json"):
        FolderSource(tmp_path)


def test_an_athlete_who_cannot_become_part_of_a_key_is_refused(tmp_path: Path) -> None:
    _athlete(tmp_path, "ann lee")
    with pytest.raises(SourceError, match="ann lee: an athlete's folder is named with letters"):
        FolderSource(tmp_path)


def test_athletes_are_the_folders_that_hold_activities(tmp_path: Path) -> None:
    _athlete(tmp_path, "bob")
    _athlete(tmp_path, "ann")
    (tmp_path / "notes").mkdir()
    assert FolderSource(tmp_path).athletes() == ["ann", "bob"]


def test_the_folder_of_one_athlete_is_a_source_too(tmp_path: Path) -> None:
    assert FolderSource(_athlete(tmp_path, "ann")).athletes() == ["ann"]


def test_files_are_handed_out_byte_for_byte(tmp_path: Path) -> None:
    path = _athlete(tmp_path, "ann", daily=[DAY])
    documents = list(FolderSource(tmp_path).fetch("ann", None, None))
    assert [(document.kind, document.name, document.last_day) for document in documents] == [
        ("activity_list", "activities", date(2025, 5, 9)),
        ("day", "daily", date(2025, 5, 3)),
    ]
    assert [document.body for document in documents] == [
        (path / "activities.json").read_bytes(),
        (path / "daily.json").read_bytes(),
    ]


def test_an_athlete_without_daily_file_has_activities_alone(tmp_path: Path) -> None:
    _athlete(tmp_path, "ann")
    assert [document.kind for document in FolderSource(tmp_path).fetch("ann", None, None)] == ["activity_list"]


def test_an_unknown_athlete_is_named_with_those_there_are(tmp_path: Path) -> None:
    _athlete(tmp_path, "ann")
    with pytest.raises(UnknownAthlete, match="no athlete 'bob' in the source folder; there are ann"):
        FolderSource(tmp_path).fetch("bob", None, None)


def test_a_range_turned_round_is_refused(tmp_path: Path) -> None:
    _athlete(tmp_path, "ann")
    with pytest.raises(SourceError, match="start 2025-02-01 is after end 2025-01-01"):
        FolderSource(tmp_path).fetch("ann", date(2025, 2, 1), date(2025, 1, 1))


@pytest.mark.parametrize(
    ("start", "end", "kinds"),
    [
        (date(2025, 5, 4), None, ["activity_list"]),
        (date(2025, 5, 9), date(2025, 5, 9), ["activity_list"]),
        (date(2025, 5, 10), None, []),
        (None, date(2025, 5, 2), ["activity_list"]),
        (None, date(2025, 5, 1), []),
        (date(2025, 5, 3), date(2025, 5, 3), ["activity_list", "day"]),
    ],
)
def test_a_range_leaves_out_files_without_a_day_in_it(
    tmp_path: Path, start: date | None, end: date | None, kinds: list[str]
) -> None:
    _athlete(tmp_path, "ann", daily=[DAY])
    assert [document.kind for document in FolderSource(tmp_path).fetch("ann", start, end)] == kinds


@pytest.mark.parametrize("rows", [[], [1, "x", None], [{"startTimeLocal": "2025-13-45 00:00:00"}], [{"other": 1}]])
def test_a_file_without_any_date_is_handed_out_whatever_the_range(tmp_path: Path, rows: list[object]) -> None:
    _athlete(tmp_path, "ann", activities=rows)
    document = next(FolderSource(tmp_path).fetch("ann", date(2025, 1, 1), date(2025, 1, 2)))
    assert document.last_day == NO_DAY


@pytest.mark.parametrize(
    ("rows", "found"),
    [([{"when": 1, "what": 2}], "the keys 'when', 'what'"), ([{}], "no keys"), ([[1]], "list"), ([None], "NoneType")],
)
def test_a_file_of_which_no_row_is_understood_says_what_was_found_and_expected(
    tmp_path: Path, rows: list[Any], found: str
) -> None:
    _athlete(tmp_path, "ann", activities=rows, daily=[{"date": "2025-01-01"}])
    documents = FolderSource(tmp_path).fetch("ann", None, None)
    assert [next(documents).name, next(documents).name] == ["activities", "daily"]
    with pytest.raises(SourceError, match=r"activities\.json: none of its 1 rows has a day: .*daily\.json") as lost:
        next(documents)
    assert f"expected startTimeLocal or startTimeGMT or startTimeGmt or beginTimestamp, found {found};" in str(
        lost.value
    )
    assert "expected calendarDate, found the keys 'date'" in str(lost.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_in_any_encoding_of_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    rows = [{"activityId": 7, "startTimeLocal": "2025-01-01 08:00:00", "activityName": "Höhenweg"}]
    (_athlete(tmp_path, "ann") / "activities.json").write_bytes(json.dumps(rows, ensure_ascii=False).encode(encoding))
    (document,) = FolderSource(tmp_path).fetch("ann", None, None)
    assert document.last_day == date(2025, 1, 1) and json.loads(document.body) == rows


def test_a_file_in_latin_1_is_refused_by_name(tmp_path: Path) -> None:
    (_athlete(tmp_path, "ann") / "activities.json").write_bytes('[{"activityName": "Höhenweg"}]'.encode("latin-1"))
    with pytest.raises(SourceError, match=r"activities\.json: is not JSON: 'utf-8' codec can't decode byte 0xf6"):
        FolderSource(tmp_path).fetch("ann", None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[{", r"activities\.json: is not JSON"),
        (b"\xff\xfe\xfd", r"activities\.json: is not JSON"),
        (b"[" * 100_000, r"activities\.json: is not JSON"),
        (b'{"a": 1}', r"activities\.json: expected a JSON list, found dict"),
        (b"null", r"activities\.json: expected a JSON list, found NoneType"),
    ],
)
def test_a_corrupt_file_is_named(tmp_path: Path, body: bytes, message: str) -> None:
    (_athlete(tmp_path, "ann") / "activities.json").write_bytes(body)
    with pytest.raises(SourceError, match=message):
        FolderSource(tmp_path).fetch("ann", None, None)


def test_an_athlete_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    (_athlete(tmp_path, "ann", daily=[DAY]) / "daily.json").write_text("[")
    with pytest.raises(SourceError, match=r"daily\.json: is not JSON"):
        FolderSource(tmp_path).fetch("ann", None, None)


def test_a_file_that_vanished_cannot_be_read(tmp_path: Path) -> None:
    path = _athlete(tmp_path, "ann")
    source = FolderSource(tmp_path)
    (path / "activities.json").unlink()
    with pytest.raises(SourceError, match=r"activities\.json: cannot be read: No such file"):
        source.fetch("ann", None, None)


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_DOCUMENT_BYTES", 10)
    _athlete(tmp_path, "ann")
    with pytest.raises(SourceError, match=r"activities\.json: larger than 10 bytes"):
        FolderSource(tmp_path).fetch("ann", None, None)
