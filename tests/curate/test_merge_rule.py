"""Which document wins, field by field, whatever order they were fetched in."""

from itertools import combinations, permutations
from typing import Any

import pytest
from garmin_documents import activity, curated, known, max_met, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from include.curate import Tables, curate
from include.curate.merge import ACTIVITY_SHAPES, DAY_SHAPES, READING_SHAPES
from include.curate.store import to_csv

DAY = "2025-05-01"


def _activity(shape: str, n: float) -> Any:
    """Activity 1 as told in `shape`, with figures that only this shape tells."""
    if shape == "activity_list":
        return [activity(1, distance=9_000.0 + n, calories=500.0 + n, averageHR=150.0 + n)]
    if shape == "activity":
        values = {"distance": 9_000.0 + n, "duration": 3600.0, "calories": 500.0 + n, "averageHR": 150.0 + n}
        return {"activityId": 1, "summaryDTO": {**values, "startTimeLocal": f"{DAY}T08:00:00.0"}}
    if shape == "export":
        values = {"distance": 100 * (9_000.0 + n), "duration": 3.6e6, "calories": 4.184 * (500.0 + n)}
        return [{"summarizedActivitiesExport": [{"activityId": 1, "avgHr": 150.0 + n, **values}]}]
    session = {"sport": "running", "started_at_utc": f"{DAY}T06:00:00", "start_local": f"{DAY}T08:00:00"}
    figures = {"timer_s": 3600.0, "distance_m": 9_000.0 + n, "energy_kcal": 500.0 + n, "avg_hr_bpm": 150.0 + n}
    return {"activityId": 1, "fitSession": {**session, **figures, "ascent_m": 33.0}}


def _day(shape: str, n: float) -> Any:
    """What `shape` tells of DAY."""
    return {
        "sleep": {"dailySleepDTO": {"calendarDate": DAY, "sleepTimeSeconds": 20_000 + n}},
        "export_sleep": [{"calendarDate": DAY, "deepSleepSeconds": 20_000 + n}],
        "hrv": {"hrvSummary": {"calendarDate": DAY, "lastNightAvg": 50 + n}},
        "export_health": [{"calendarDate": DAY, "metrics": [{"type": "HR", "value": 40}, {"type": "HRV", "value": 50 + n}]}],
        "export_weighing": [{"metaData": {"calendarDate": f"{DAY}T07:00:00.0"}, "weight": {"weight": 70_000 + n}}],
        "weighing": {"dateWeightList": [{"calendarDate": DAY, "weight": 70_000 + n}]},
        "day": {"calendarDate": DAY, "totalSteps": 900 + n, "restingHeartRate": 50 + n, "averageStressLevel": 30 + n,
                "sleepTimeSeconds": 20_000 + n, "hrvLastNightAvg": 50 + n, "weight": 70_000 + n},
        "stress": {"calendarDate": DAY, "avgStressLevel": 30 + n, "stressValuesArray": []},
        "heart_rate": {"calendarDate": DAY, "restingHeartRate": 50 + n, "heartRateValues": []},
        "export_day": [{"calendarDate": DAY, "totalSteps": 900 + n, "restingHeartRate": 50 + n, "userProfilePK": 1,
                        "allDayStress": {"aggregatorList": [{"type": "TOTAL", "averageStressLevel": 30 + n}]}}],
    }[shape]  # fmt: skip


def _reading(shape: str, n: float) -> Any:
    """A precise reading of DAY where `shape` tells such, else a rounded one."""
    session = {"sport": "running", "start_local": f"{DAY}T08:00:00", "avg_hr_bpm": 150.0, "vo2max": 50.1 + n}
    return {
        "max_metrics": [{"generic": max_met(DAY, 50.1 + n)}],
        "training_status": {"mostRecentVO2Max": {"generic": max_met(DAY, 50.1 + n)}, "mostRecentTrainingStatus": None},
        "export_max_met": [{"calendarDate": DAY, "maxMet": (50.1 + n) / 3.5}],
        "fit_metrics": [{"fitMaxMet": {"updated_at_utc": f"{DAY}T09:00:00", "met_max_raw": (50.1 + n) / 3.5 * 65_536}}],
        "export_activity": [{"calendarDate": DAY, "sport": "RUNNING", "vo2MaxValue": 50.0 + n}],
        "day": {"calendarDate": DAY, "vo2MaxPreciseValue": 50.1 + n},
        "fit": {"activityId": 5, "fitSession": session},
    }[shape]


def _bytes(tables: Tables) -> dict[str, bytes]:
    return {table: to_csv(table, frame) for table, frame in tables.frames().items()}


def _in_either_order(one: Any, other: Any) -> Tables:
    tables = curated(one, other)
    assert _bytes(curated(other, one)) == _bytes(tables)
    return tables


@pytest.mark.parametrize(("first", "second"), list(combinations(ACTIVITY_SHAPES, 2)))
def test_of_two_shapes_of_an_activity_the_first_in_the_table_wins(first: str, second: str) -> None:
    (row,) = known(_in_either_order(_activity(first, 1), _activity(second, 2)).activities)
    assert (row["source"], row["distance_m"], row["avg_hr_bpm"]) == (first, 9_001.0, 151.0)
    assert row["energy_kcal"] == pytest.approx(502.0 if (first, second) == ("export", "fit") else 501.0)


def test_what_no_better_shape_tells_comes_from_the_next() -> None:
    summary = {"activityId": 1, "summaryDTO": {"averagePower": 250.0}, "metadataDTO": {"manualActivity": True}}
    zones = [{"summarizedActivitiesExport": [{"activityId": 1, "hrTimeInZone_3": 60_000}]}]
    item = [activity(1, elevationGain=None, averageHR=0.0)]
    (row,) = known(curated(_activity("fit", 4), zones, summary, item).activities)
    assert row["source"] == "activity_list"
    assert (row["avg_power_w"], row["is_manual"]) == (250.0, True)
    assert (row["hr_zone_3_s"], row["elevation_gain_m"], row["avg_hr_bpm"]) == (60.0, 33.0, 154.0)


def test_what_no_shape_tells_is_unknown() -> None:
    summary = {"activityId": 1, "summaryDTO": {"calories": 0.0}}
    (row,) = known(curated([activity(1, calories=None)], summary).activities)
    assert "energy_kcal" not in row


def test_within_a_shape_the_later_fetch_wins_and_nothing_never_replaces_a_value() -> None:
    early, late = [activity(1, distance=1.0, averageHR=150.0)], [activity(1, distance=2.0, averageHR=None)]
    (row,) = known(curated(early, late, _activity("activity", 3)).activities)
    assert (row["distance_m"], row["avg_hr_bpm"]) == (2.0, 150.0)


@pytest.mark.parametrize(
    ("column", "shapes"),
    [
        ("sleep_s", ("sleep", "export_sleep", "day")),
        ("hrv_ms", ("hrv", "export_health", "day")),
        ("weight_kg", ("weighing", "export_weighing", "day")),
        ("resting_hr_bpm", ("day", "heart_rate", "export_day")),
        ("stress_avg", ("day", "stress", "export_day")),
        ("steps", ("day", "export_day")),
    ],
)
def test_of_two_shapes_of_a_day_the_first_in_the_table_wins(column: str, shapes: tuple[str, ...]) -> None:
    assert list(shapes) == [shape for shape in DAY_SHAPES if shape in shapes]
    for first, second in combinations(shapes, 2):
        (row,) = known(_in_either_order(_day(first, 1), _day(second, 2)).days)
        (alone,) = known(curated(_day(first, 1)).days)
        assert row[column] == alone[column]


@pytest.mark.parametrize(("first", "second"), list(combinations(READING_SHAPES, 2)))
def test_of_two_readings_the_precise_one_and_then_the_first_in_the_table_wins(first: str, second: str) -> None:
    tables = _in_either_order(_reading(first, 1), _reading(second, 2))
    expected = 52.1 if first == "export_activity" else 51.1
    assert tables.vo2max["vo2max"].tolist() == [pytest.approx(expected)]
    assert tables.vo2max["is_precise"].all()


def test_the_last_weighing_of_a_day_counts_whatever_order_they_are_listed_in() -> None:
    weighings = [{"calendarDate": DAY, "weight": 70_000.0 + n, "timestampGMT": 1746079200000 + n} for n in (1, 2, 3)]
    for listed in permutations(weighings):
        assert known(curated({"dateWeightList": list(listed)}).days)[0]["weight_kg"] == 70.003


EVERYTHING = (
    [_activity(shape, n) for n, shape in enumerate(ACTIVITY_SHAPES)]
    + [_day(shape, n) for n, shape in enumerate(DAY_SHAPES)]
    + [_reading(shape, n) for n, shape in enumerate(READING_SHAPES)]
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.permutations(range(len(EVERYTHING))), st.permutations(range(len(EVERYTHING))))
def test_the_order_of_fetches_of_different_shapes_changes_nothing(fetched: list[int], handed_over: list[int]) -> None:
    documents = [stored(value, order=order) for value, order in zip(EVERYTHING, fetched, strict=True)]
    tables = curate([documents[index] for index in handed_over])
    assert _bytes(tables) == _bytes(curated(*EVERYTHING))
