import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.garmin import SourceError, fit_metrics, metrics_documents
from include.garmin.backup import BackupSource
from include.garmin.document import RawDocument
from include.garmin.fit_frames import FitError
from include.garmin.fit_metrics import file_type, is_metrics, read_metrics
from include.garmin.folder import FolderSource
from include.garmin.metrics_documents import Metrics, metrics_in_folder
from tests.garmin.fit_files import CYCLING, ENUM, MAX_MET_DATA, UINT16, UINT32, FitFile, activity_file, metrics_file

EVENING = datetime(2025, 5, 2, 18)
ONE = metrics_file((EVENING, 50.31, 49.87))


def _of_watch(raw: int, whole: int) -> bytes:
    fit = FitFile()
    fit.message(0, {0: (ENUM, 44)})
    fit.message(MAX_MET_DATA, {0: (UINT32, 883_140_759), 1: (UINT32, raw), 2: (UINT16, whole), 5: (ENUM, 1)})
    return fit.finish()


def test_field_1_is_the_precise_value_of_the_whole_number_beside_it() -> None:
    (update,) = read_metrics(_of_watch(865_718, 460))
    assert (update.day_vo2max, update.vo2max_whole, update.activity_vo2max) == (46.23, 46.0, None)
    assert update.updated_at_utc == datetime(2017, 12, 25, 12, 52, 39, tzinfo=UTC)


def test_day_and_activity_are_two_values() -> None:
    (update,) = read_metrics(ONE)
    assert (update.day_vo2max, update.activity_vo2max, update.sport) == (50.31, 49.87, "running")
    assert update.updated_local is None


@pytest.mark.parametrize("options", [{"endian": ">"}, {"sport": CYCLING}, {"sport": None}, {"utc_offset_s": -25_200}])
def test_variants_are_read(options: dict[str, Any]) -> None:
    (update,) = read_metrics(metrics_file((EVENING, 50.31, None), **options))
    assert update.day_vo2max == 50.31
    assert update.sport == {CYCLING: "cycling", None: None}.get(options.get("sport", 1), "running")
    if "utc_offset_s" in options:
        assert update.updated_local == datetime(2025, 5, 2, 11)


def test_updates_come_by_time_and_those_without_value_or_time_are_passed_over() -> None:
    body = metrics_file((EVENING, 51.0, None), (EVENING - timedelta(days=1), 50.0, None), (EVENING, None, None))
    assert [update.day_vo2max for update in read_metrics(body)] == [50.0, 51.0]
    assert read_metrics(metrics_file((datetime(1995, 1, 1), 50.0, None))) == []
    assert read_metrics(metrics_file()) == []


def test_a_chain_of_metrics_files_is_read_and_a_broken_one_costs_itself() -> None:
    other = metrics_file((EVENING, 40.0, None))
    assert len(read_metrics(ONE + b"\0" * 4 + other)) == 2
    assert len(read_metrics(ONE[:-2] + b"\0\0" + other)) == 1


@pytest.mark.parametrize("body", [b"", b"PK\3\4", ONE[:-1], ONE[:-2] + b"\0\0", ONE[:40]])
def test_what_is_no_whole_fit_file_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(FitError) as refused:
        read_metrics(body)
    assert "\n" not in str(refused.value)


def test_updates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_metrics, "MAX_UPDATES", 1)
    with pytest.raises(FitError, match="more than 1 updates"):
        read_metrics(ONE + ONE)


def test_a_file_is_known_by_its_name_or_by_its_first_bytes() -> None:
    assert is_metrics("12_METRICS.fit", b"") and is_metrics("12_metrics.FIT", b"")
    assert is_metrics("12.fit", ONE[:200])
    assert not is_metrics("12.fit", activity_file()[:200])
    assert (file_type(ONE), file_type(activity_file()), file_type(ONE[:30]), file_type(b"")) == (44, 4, None, None)


def _made(*bodies: bytes, start: date | None = None, end: date | None = None) -> list[RawDocument]:
    metrics = Metrics()
    for number, body in enumerate(bodies):
        metrics.add(f"{number}_METRICS.fit", body)
    return list(metrics.documents(start, end))


def test_a_document_holds_a_quarter_with_each_update_once_whatever_the_files() -> None:
    later = metrics_file((EVENING, 50.31, 49.87), (datetime(2025, 7, 1, 9), 50.5, None))
    documents = _made(ONE, later)
    assert [(each.name, each.last_day) for each in documents] == [
        ("fit-metrics-2025q2", date(2025, 5, 2)),
        ("fit-metrics-2025q3", date(2025, 7, 1)),
    ]
    assert documents == _made(later, ONE, ONE) == _made(later)
    assert json.loads(documents[0].body) == [
        {
            "fitMaxMet": {
                "updated_at_utc": "2025-05-02T18:00:00", "sport": "running", "sub_sport": "generic",
                "met_max_raw": 942_033, "vo2max_whole": 50.0, "activity_met_max_raw": 933_794,
            }
        }
    ]  # fmt: skip


def test_a_range_chooses_quarters_by_days_that_may_be_one_off_in_utc() -> None:
    day = EVENING.date()
    assert len(_made(ONE, start=day + timedelta(days=1))) == len(_made(ONE, end=day - timedelta(days=1))) == 1
    assert _made(ONE, start=day + timedelta(days=2)) == _made(ONE, end=day - timedelta(days=2)) == []


def test_updates_and_reasons_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_documents, "MAX_KEPT", 1)
    monkeypatch.setattr(metrics_documents, "MAX_UNREADABLE", 2)
    documents = _made(ONE, metrics_file((EVENING, 40.0, None)), b"", b"", b"")
    assert [each.unreadable is None for each in documents] == [True, False, False]


def test_files_below_a_folder_are_found_and_links_are_not_followed(tmp_path: Path) -> None:
    deep = tmp_path / "ann" / "FitFiles" / "Monitoring" / "2025"
    deep.mkdir(parents=True)
    (deep / "1_METRICS.fit").write_bytes(ONE)
    (deep / "2_WELLNESS.fit").write_bytes(activity_file(file_type=32))
    (deep / "3.FIT").write_bytes(metrics_file((EVENING, 40.0, None)))
    (deep / "4_METRICS.fit").write_bytes(ONE[:-3])
    (deep / "5_METRICS.fit").symlink_to(deep / "1_METRICS.fit")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "6_METRICS.fit").write_bytes(metrics_file((EVENING, 41.0, None)))
    (deep / "linked").symlink_to(tmp_path / "outside")
    found, broken = metrics_in_folder(tmp_path / "ann", None, None)
    assert len(json.loads(found.body)) == 2
    assert broken.unreadable == "'4_METRICS.fit': truncated: 100 bytes of 103"


def test_a_large_metrics_file_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_documents, "MAX_METRICS_BYTES", 10)
    (tmp_path / "1_METRICS.fit").write_bytes(ONE)
    (told,) = metrics_in_folder(tmp_path, None, None)
    assert told.unreadable == "'1_METRICS.fit': larger than 10 bytes"


def test_a_folder_source_reads_metrics_files_beside_its_json(tmp_path: Path) -> None:
    (tmp_path / "ann" / "fit").mkdir(parents=True)
    (tmp_path / "ann" / "activities.json").write_text("[]")
    (tmp_path / "ann" / "fit" / "1.fit").write_bytes(ONE)
    documents = list(FolderSource(tmp_path).fetch("ann", None, None))
    assert [each.name for each in documents] == ["activities", "fit-metrics-2025q2"]


def test_a_backup_source_reads_metrics_files_in_it_and_below(tmp_path: Path) -> None:
    (tmp_path / "ann" / "more").mkdir(parents=True)
    (tmp_path / "ann" / "2025-05-02T05:00:00+00:00_101.fit").write_bytes(activity_file())
    (tmp_path / "ann" / "more" / "1.fit").write_bytes(ONE)
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "1_METRICS.fit").write_bytes(ONE)
    source = BackupSource(tmp_path)
    assert source.athletes() == ["ann", "bob"]
    assert [each.name for each in source.fetch("ann", None, None)] == ["101-fit", "fit-metrics-2025q2"]
    assert [each.name for each in source.fetch("bob", None, None)] == ["fit-metrics-2025q2"]


def test_the_folder_of_garmindb_is_one_athlete(tmp_path: Path) -> None:
    place = tmp_path / "HealthData" / "FitFiles" / "Monitoring" / "2025"
    place.mkdir(parents=True)
    (place / "1_METRICS.fit").write_bytes(ONE)
    for root in (tmp_path, tmp_path / "HealthData"):
        source = BackupSource(root)
        assert source.athletes() == ["HealthData"]
        assert [each.name for each in source.fetch("HealthData", None, None)] == ["fit-metrics-2025q2"]


@pytest.mark.parametrize("name", ["18691342676_ACTIVITY.fit", "2026-05-02T05:00:00+00:00_18691342676.FIT"])
def test_activity_files_under_other_names_are_refused_clearly(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(activity_file())
    (tmp_path / "2026-05-02T05:00:00+00:00_18691342676.fit.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(SourceError, match="holds no backup: expected"):
        BackupSource(tmp_path)
