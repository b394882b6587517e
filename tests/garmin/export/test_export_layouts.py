"""Exports of every age, from the zip to the tables, value by value."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.curate import Tables, curate
from include.garmin import StoredDocument
from include.garmin.export import ExportSource
from tests.garmin.export.builder import LAYOUTS, Account, write_folder, write_zip, zip_of
from tests.garmin.export.export_items import activity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account(first_day=date(2020, 1, 1), days=210, activities=105)


def _tables(source: ExportSource, athlete: str = "ann") -> Tables:
    documents = source.fetch(athlete, None, None)
    return curate(StoredDocument(d.kind, d.last_day, d.name, d.body, athlete, NOW, f"raw/{d.name}") for d in documents)


def _account(layout: str, **more: Any) -> Account:
    return Account(**{**ACCOUNT.__dict__, "layout": layout, **more})


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tables(layout: str, tmp_path: Path) -> Tables:
    return _tables(ExportSource(str(write_zip(tmp_path / "ann.zip", _account(layout)))))


def test_activities_in_metres_seconds_and_kcal(tables: Tables) -> None:
    rows = tables.activities
    assert len(rows) == 105
    assert rows["activity_id"].tolist() == [str(9_000_000 + number) for number in range(105)]
    assert rows["day"].tolist() == [pd.Timestamp(2020, 1, 1) + timedelta(days=2 * number) for number in range(105)]
    first = rows.iloc[0]
    assert first["started_at_utc"] == pd.Timestamp(2020, 1, 1, 6)
    assert first["sport"] == "running"
    exact = {
        "duration_s": 3600.0,
        "distance_m": 10_000.0,
        "elevation_gain_m": 80.0,
        "avg_speed_mps": 2.777778,
        "avg_hr_bpm": 150.0,
        "max_hr_bpm": 171.0,
        "energy_kcal": 600.0,
        "training_load": 120.5,
        "aerobic_te": 3.4,
        "anaerobic_te": 0.6,
        **{f"hr_zone_{zone}_s": 600.0 * zone for zone in range(1, 6)},
    }
    assert {name: first[name] for name in exact} == pytest.approx(exact, rel=1e-12)
    assert first["source"] == "export"
    assert not tables.mends


def test_days(tables: Tables) -> None:
    rows = tables.days
    assert rows["day"].tolist() == [pd.Timestamp(day) for day in ACCOUNT.dates()]
    row = rows[rows["day"] == pd.Timestamp(2020, 2, 29)].iloc[0]
    assert row["steps"] == 9_029
    assert row["sleep_s"] == 7 * 3600
    assert (row["stress_avg"], row["body_battery_max"], row["body_battery_min"]) == (30, 90, 20)
    assert rows["resting_hr_bpm"].isin([47, 48]).all()


def test_readings_are_the_last_of_the_day_and_precise(tables: Tables) -> None:
    precise = tables.vo2max[tables.vo2max["is_precise"]]
    # Each part of 100 days has a max MET every third day: 34, 34 and 4 of them; 14.5 MET in the evening.
    assert len(precise) == 34 + 34 + 4
    assert precise["vo2max"].tolist() == pytest.approx([50.8] * len(precise), abs=0.051)
    rounded = tables.vo2max[~tables.vo2max["is_precise"]]
    assert set(rounded["vo2max"]) == {50.0}
    assert set(tables.vo2max["sport"]) == {"running"}


def test_nights_heart_rate_variability_and_weighings(tmp_path: Path) -> None:
    days = _tables(ExportSource(str(write_zip(tmp_path / "ann.zip", _account("today"))))).days
    assert (days["hrv_ms"] == 60.0).all()
    assert days["weight_kg"].dropna().tolist() == [70.0] * 30


def test_an_unpacked_export_gives_what_its_zip_gives(layout: str, tables: Tables, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "unpacked" / "ann", _account(layout))
    source = ExportSource(str(folder))
    (athlete,) = source.athletes()
    assert athlete == ("0a1b2c3d-0000_1" if layout == "today" else "ann")
    for table, frame in _tables(source, athlete).frames().items():
        pd.testing.assert_frame_equal(
            frame.drop(columns="athlete_id"), tables.frames()[table].drop(columns="athlete_id")
        )


def test_an_account_without_vo2max_has_no_readings(layout: str, tmp_path: Path) -> None:
    account = _account(layout, has_vo2max=False)
    tables = _tables(ExportSource(str(write_zip(tmp_path / "ann.zip", account))))
    assert (len(tables.activities), len(tables.days), len(tables.vo2max)) == (105, 210, 0)


def test_an_empty_account_has_tables_without_rows(layout: str, tmp_path: Path) -> None:
    account = _account(layout, days=0, activities=0)
    source = ExportSource(str(write_zip(tmp_path / "ann.zip", account)))
    assert source.athletes() == ["ann"]
    assert list(source.fetch("ann", None, None)) == []


def test_nothing_but_the_known_members_is_handed_out(layout: str, tmp_path: Path) -> None:
    source = ExportSource(str(write_zip(tmp_path / "ann.zip", _account(layout))))
    bodies = b"".join(document.body for document in source.fetch("ann", None, None))
    assert b"emailAddress" not in bodies
    assert b"not opened" not in bodies


def test_items_of_a_day_stay_in_the_order_of_the_parts(tmp_path: Path) -> None:
    parts = {
        f"DI_CONNECT/DI-Connect-Wellness/part_{n}_sleepData.json": f'[{{"calendarDate":"2024-01-01","n":{n}}}]'
        for n in (10, 9, 1)
    }
    (document,) = ExportSource(str(zip_of(tmp_path / "ann.zip", dict(parts)))).fetch("ann", None, None)
    assert [row["n"] for row in json.loads(document.body)] == [1, 9, 10]


def test_a_start_just_after_midnight_belongs_to_the_local_day(tmp_path: Path) -> None:
    run = activity(1, date(2024, 4, 1), startTimeLocal=1_711_929_900_000.0, beginTimestamp=1_711_922_700_000.0)
    member = "DI_CONNECT/DI-Connect-Fitness/a_0_summarizedActivities.json"
    path = zip_of(tmp_path / "ann.zip", {member: json.dumps([{"summarizedActivitiesExport": [run]}])})
    (document,) = ExportSource(str(path)).fetch("ann", None, None)
    assert (document.name, document.last_day) == ("activities-2024q2", date(2024, 4, 1))
    row = _tables(ExportSource(str(path))).activities.iloc[0]
    assert (row["day"], row["started_at_utc"]) == (pd.Timestamp(2024, 4, 1), pd.Timestamp(2024, 3, 31, 22, 5))
