"""Recorded answers and long histories are kept beside the repository; without them these tests are skipped."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from garmin_documents import stored

from include.curate import Tables, curate
from include.garmin import StoredDocument, open_source

BESIDE = Path(__file__).resolve().parents[3] / "shared"
SAMPLES, ATHLETES = BESIDE / "garmin-samples", BESIDE / "athletes"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers (../shared/garmin-samples)")
needs_athletes = pytest.mark.skipif(not ATHLETES.is_dir(), reason="no long histories (../shared/athletes)")


def _sample(*names: str) -> Tables:
    return curate([stored((SAMPLES / f"{name}.json").read_bytes(), order=order) for order, name in enumerate(names)])


@needs_samples
@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("activity_list", "activities"),
        ("activity_list_page_0", "activities"),
        ("activity_list_page_1", "activities"),
        ("activity_summary", "activities"),
        ("daily_summary", "days"),
        ("heart_rate", "days"),
        ("stress_body_battery_incomplete", "days"),
        ("sleep", "days"),
        ("hrv", "days"),
        ("hrv_range", "days"),
        ("weight", "days"),
    ],
)
def test_a_recorded_answer_gives_rows(name: str, table: str) -> None:
    tables = _sample(name)
    assert len(tables.frames()[table]) > 0
    assert not tables.unread


@needs_samples
@pytest.mark.parametrize(
    "name",
    ["sleep_no_data", "stress_body_battery_no_data", "weight_no_data", "training_status", "training_status_no_data"],
)
def test_a_recorded_answer_without_data_gives_no_rows(name: str) -> None:
    assert all(len(frame) == 0 for frame in _sample(name).frames().values())


@needs_samples
def test_recorded_pages_hold_each_activity_once() -> None:
    pages = ("activity_list", "activity_list_page_0", "activity_list_page_1")
    ids = {str(item["activityId"]) for name in pages for item in json.loads((SAMPLES / f"{name}.json").read_bytes())}
    tables = _sample(*pages)
    assert tables.activities["activity_id"].is_unique
    assert set(tables.activities["activity_id"]) <= ids


FEW_ACTIVITIES = {"f": 0, "h": 83}
"""Athletes of whom there are few activities, or days alone; of all others there are more than a hundred."""


@needs_athletes
def test_long_histories_become_tables_in_one_unit() -> None:
    source = open_source(f"folder:{ATHLETES}", date.today())
    for athlete in source.athletes():
        tables = curate(
            StoredDocument(
                each.kind, each.last_day, each.name, each.body, athlete, datetime(2026, 1, 1, tzinfo=UTC), each.name
            )
            for each in source.fetch(athlete, None, None)
        )
        if athlete in FEW_ACTIVITIES:
            assert len(tables.activities) == FEW_ACTIVITIES[athlete]
        else:
            assert len(tables.activities) > 100
        assert tables.activities["activity_id"].is_unique
        assert not tables.vo2max.duplicated(["day", "sport"]).any()
        assert tables.vo2max["vo2max"].between(15, 95).all()
        long_ones = tables.activities[tables.activities["duration_s"] > 600]
        assert not (long_ones["energy_kcal"] / long_ones["duration_s"] * 60 > 35).any()
