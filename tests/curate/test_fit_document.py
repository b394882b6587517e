import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from include.curate import fit_document
from include.curate.activities import list_item
from include.curate.fields import Fields
from include.garmin.backup import BackupSource
from tests.garmin.fit_files import (
    BIKE_TO_RUN,
    CYCLING,
    E_BIKE_FITNESS,
    E_BIKE_MOUNTAIN,
    E_BIKING,
    FITNESS_EQUIPMENT,
    GENERIC,
    HAND_CYCLING,
    INDOOR_CYCLING,
    ROWING,
    RUNNING,
    STRENGTH_TRAINING,
    SWIMMING,
    TRAIL,
    TRAINING,
    TRANSITION,
    TREADMILL,
    UINT8,
    UINT16,
    VIRTUAL_ACTIVITY,
    WALKING,
    activity_file,
    met_raw,
)

NO_HR, NO_POWER = {16: (UINT8, 0xFF)}, {20: (UINT16, 0xFFFF)}


@pytest.fixture
def item(tmp_path: Path) -> Any:
    """The document that a backup hands out for a FIT file, as curate sees it."""

    def decoded(**file: Any) -> Fields:
        (tmp_path / "ann").mkdir(exist_ok=True)
        (tmp_path / "ann" / "2025-05-02T05:00:00+00:00_101.fit").write_bytes(activity_file(**file))
        (document,) = BackupSource(tmp_path / "ann").fetch("ann", None, None)
        return Fields(json.loads(document.body), Counter())

    return decoded


def test_a_session_is_a_row_of_the_table(item: Any) -> None:
    row = fit_document.activity(item())
    assert row == {
        "activity_id": "101",
        "started_at_utc": "2025-05-02T05:00:00",
        "day": "2025-05-02",
        "sport": "running",
        "duration_s": 3600.0,
        "distance_m": 10_000.5,
        "elevation_gain_m": 118.0,
        "avg_speed_mps": 2.778,
        "avg_hr_bpm": 151.0,
        "max_hr_bpm": 172.0,
        "avg_power_w": 243.0,
        "energy_kcal": 640.0,
        "training_load": 100.5,
        "aerobic_te": 3.4,
        "anaerobic_te": 1.1,
        "_elapsed_s": 3660.0,
        "_vo2max": 49.06,
        "_device": "3412345678",
        "_start_local": datetime(2025, 5, 2, 7, 0),
        "_is_virtual": None,
    }


def test_a_row_has_no_field_that_other_activities_have_not(item: Any) -> None:
    other = list_item(Fields({"activityId": 1, "activityType": {"typeKey": "running"}}, Counter()))
    row = fit_document.activity(item())
    assert other is not None
    assert row is not None
    assert row.keys() <= other.keys()


def test_the_day_is_the_day_at_the_place(item: Any) -> None:
    told = item(start=datetime(2025, 5, 2, 22, 30))
    assert fit_document.activity(told)["day"] == "2025-05-03"
    assert fit_document.readings(told)[0]["day"] == "2025-05-03"
    assert fit_document.readings(item(start=datetime(2025, 5, 2, 22, 30), utc_offset_s=None))[0]["day"] == "2025-05-02"


@pytest.mark.parametrize(
    ("sport", "sub_sport", "expected"),
    [
        (CYCLING, 0, "cycling"),
        (CYCLING, HAND_CYCLING, "other"),
        (CYCLING, E_BIKE_FITNESS, "other"),
        (CYCLING, E_BIKE_MOUNTAIN, "other"),
        (E_BIKING, 0, "other"),
        (RUNNING, TRAIL, "running"),
        (WALKING, 0, "walking"),
        (FITNESS_EQUIPMENT, TREADMILL, "running"),
        (TRAINING, STRENGTH_TRAINING, "strength"),
        (GENERIC, 0, None),
        (None, 0, None),
        (211, 0, "other"),
    ],
)
def test_sports_are_those_of_the_table(item: Any, sport: int | None, sub_sport: int, expected: str | None) -> None:
    assert fit_document.activity(item(sport=sport, sub_sport=sub_sport))["sport"] == expected


@pytest.mark.parametrize(
    ("sport", "sub_sport", "type_key"),
    [
        (RUNNING, 0, "running"),
        (RUNNING, TREADMILL, "treadmill_running"),
        (RUNNING, TRAIL, "trail_running"),
        (RUNNING, VIRTUAL_ACTIVITY, "virtual_run"),
        (CYCLING, INDOOR_CYCLING, "indoor_cycling"),
        (CYCLING, VIRTUAL_ACTIVITY, "virtual_ride"),
        (CYCLING, HAND_CYCLING, "handcycling"),
        (CYCLING, E_BIKE_FITNESS, "e_bike_fitness"),
        (E_BIKING, E_BIKE_MOUNTAIN, "e_bike_mountain"),
        (TRANSITION, BIKE_TO_RUN, "bikeToRunTransition"),
        (SWIMMING, 0, "lap_swimming"),
        (TRAINING, STRENGTH_TRAINING, "strength_training"),
        (ROWING, 0, "rowing"),
    ],
)
def test_a_file_and_the_activity_list_tell_the_same_sport(item: Any, sport: int, sub_sport: int, type_key: str) -> None:
    listed = list_item(Fields({"activityId": 1, "activityType": {"typeKey": type_key}}, Counter()))
    row = fit_document.activity(item(sport=sport, sub_sport=sub_sport))
    assert listed is not None
    assert (row["sport"], row["_is_virtual"]) == (listed["sport"], listed["_is_virtual"])
    assert (row["sport"] in ("running", "cycling")) == bool(
        fit_document.readings(item(sport=sport, sub_sport=sub_sport))
    )


def test_two_sessions_of_a_run_are_a_run_with_its_reading(item: Any) -> None:
    told = item(sessions=2, seconds=1800)
    row = fit_document.activity(told)
    assert (row["sport"], row["duration_s"], row["avg_hr_bpm"]) == ("running", 3600.0, 151.0)
    assert fit_document.readings(told)[0]["precise"] == 49.1


def test_what_was_estimated_before_the_activity_is_counted_and_no_reading(item: Any) -> None:
    told = item(vo2max_raw=None, met_max_before=14_200)
    assert fit_document.readings(told) == []
    assert told.unread == {fit_document.BEFORE_THE_ACTIVITY: 1}


def test_a_published_whole_number_is_rounded_and_its_tenths_are_precise(item: Any) -> None:
    (whole,) = fit_document.readings(item(max_met=(520, RUNNING)))
    assert (whole["precise"], whole["rounded"]) == (None, 52.0)
    told = item(max_met=(520, RUNNING), max_met_raw=(met_raw(52.31), met_raw(51.96)))
    assert fit_document.readings(told)[0]["precise"] == 52.3
    assert fit_document.activity(told)["_vo2max"] == 51.96


def test_several_sports_are_a_multisport_activity_without_reading(item: Any) -> None:
    told = item(sports=(CYCLING, 1))
    assert fit_document.activity(told)["sport"] == "multisport"
    assert fit_document.readings(told) == []


def test_a_reading_is_precise(item: Any) -> None:
    assert fit_document.readings(item()) == [
        {"day": "2025-05-02", "sport": "running", "precise": 49.1, "rounded": None}
    ]


@pytest.mark.parametrize(
    "file",
    [
        {"sport": WALKING},
        {"session": NO_HR},
        {"sport": CYCLING, "session": NO_POWER},
        {"vo2max_raw": None},
        {"vo2max_raw": 0},
        {"max_met": (524, CYCLING)},
    ],
)
def test_an_estimate_that_this_activity_cannot_have_yielded_is_no_reading(item: Any, file: Any) -> None:
    told = item(**file)
    assert fit_document.readings(told) == []
    assert fit_document.activity(told)["_vo2max"] is None


def test_cycling_with_power_has_a_reading_of_its_own(item: Any) -> None:
    assert fit_document.readings(item(sport=CYCLING))[0]["sport"] == "cycling"
    assert fit_document.readings(item(sport=CYCLING, max_met=(524, CYCLING)))[0]["precise"] == 52.4


@pytest.mark.parametrize("value", [{}, {"activityId": None}, {"activityId": [], "fitSession": 3}])
def test_an_item_without_id_is_no_row(value: Any) -> None:
    assert fit_document.activity(Fields(value, Counter())) is None


@pytest.mark.parametrize("session", [None, [], {"sport": [], "vo2max": "x", "start_local": {}, "avg_hr_bpm": True}])
def test_a_session_that_makes_no_sense_is_a_row_without_values(session: Any) -> None:
    fields = Fields({"activityId": 5, "fitSession": session}, Counter())
    row = fit_document.activity(fields)
    assert {name for name, value in row.items() if value is not None} == {"activity_id"}
    assert fit_document.readings(fields) == []
