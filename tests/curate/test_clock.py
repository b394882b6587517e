"""Days and order of activities where the wall clock and UTC disagree."""

from datetime import datetime
from typing import Any

import pytest
from garmin_documents import activity, curated, known, readings


def _told(number: int, local: str, utc: str, **more: Any) -> dict[str, Any]:
    return activity(number, startTimeLocal=local, startTimeGMT=utc, **more)


def test_an_activity_that_ends_after_midnight_is_of_the_day_on_which_it_began() -> None:
    night = _told(1, "2025-05-01 23:30:00", "2025-05-01 21:30:00", duration=7200.0, vO2MaxValue=50.0)
    tables = curated([night])
    assert known(tables.activities)[0]["day"] == "2025-05-01"
    assert readings(tables) == [("2025-05-01", "running", 50.0, False)]


@pytest.mark.parametrize(
    ("local", "utc", "day"),
    [
        ("2025-05-01 01:00:00", "2025-04-30 11:00:00", "2025-05-01"),
        ("2025-04-30 23:00:00", "2025-05-01 09:00:00", "2025-04-30"),
        ("2025-03-30 03:00:00", "2025-03-30 01:00:00", "2025-03-30"),
    ],
)
def test_the_day_is_that_of_the_place(local: str, utc: str, day: str) -> None:
    (row,) = known(curated([_told(1, local, utc)]).activities)
    assert (row["day"], row["started_at_utc"]) == (day, utc)


def test_on_a_flight_west_the_reading_of_the_day_is_the_later_one_by_utc() -> None:
    tokyo = _told(1, "2025-05-01 15:00:00", "2025-05-01 06:00:00", vO2MaxValue=50.0)
    los_angeles = _told(2, "2025-05-01 09:00:00", "2025-05-01 16:00:00", vO2MaxValue=51.0)
    for items in ([tokyo, los_angeles], [los_angeles, tokyo]):
        assert readings(curated(items)) == [("2025-05-01", "running", 51.0, False)]


def test_across_the_date_line_days_are_local_though_their_order_is_not() -> None:
    auckland = _told(1, "2025-05-02 07:00:00", "2025-05-01 19:00:00")
    honolulu = _told(2, "2025-05-01 18:00:00", "2025-05-02 04:00:00")
    rows = known(curated([auckland, honolulu]).activities)
    assert [(row["activity_id"], row["day"]) for row in rows] == [("2", "2025-05-01"), ("1", "2025-05-02")]


def test_activities_of_one_wall_clock_hour_in_two_places_are_two() -> None:
    items = [
        _told(1, "2025-05-01 08:00:00", "2025-04-30 23:00:00"),
        _told(2, "2025-05-01 08:00:00", "2025-05-01 15:00:00"),
    ]
    assert len(curated(items).activities) == 2


def test_local_time_is_taken_from_whatever_tells_it() -> None:
    item = activity(1, startTimeLocal=None, startTimeGMT="2025-05-02 06:30:00")
    summary = {"activityId": 1, "summaryDTO": {"startTimeLocal": "2025-05-01T23:30:00.0"}}
    for documents in ([[item], summary], [summary, [item]]):
        (row,) = known(curated(*documents).activities)
        assert (row["day"], row["started_at_utc"]) == ("2025-05-01", "2025-05-02 06:30:00")


@pytest.mark.parametrize("value", [1746079200000, 1746079200000.0, "2025-05-01T06:00:00.0", "2025-05-01 06:00:00"])
@pytest.mark.parametrize("name", ["startTimeGMT", "beginTimestamp"])
def test_a_moment_is_text_or_milliseconds(name: str, value: object) -> None:
    item = activity(1, startTimeLocal=None, startTimeGMT=None)
    (row,) = known(curated([{**item, name: value}]).activities)
    assert (row["started_at_utc"], row["day"]) == (str(datetime(2025, 5, 1, 6)), "2025-05-01")


def test_the_export_tells_the_wall_clock_as_if_it_were_utc() -> None:
    item = {"activityId": 1, "startTimeLocal": 1746142200000.0, "startTimeGMT": 1746167400000.0}
    (row,) = known(curated([{"summarizedActivitiesExport": [item]}]).activities)
    assert (row["day"], row["started_at_utc"]) == ("2025-05-01", "2025-05-02 06:30:00")


def test_an_activity_entered_by_hand_is_kept_without_what_no_watch_measured() -> None:
    item = activity(1, manualActivity=True, deviceId=0, averageHR=None, calories=0.0, vO2MaxValue=0.0, avgPower=0.0)
    tables = curated([item])
    (row,) = known(tables.activities)
    assert row["is_manual"] is True and (row["duration_s"], row["distance_m"]) == (3600.0, 10_000.0)
    assert not {"avg_hr_bpm", "energy_kcal", "avg_power_w"} & row.keys()
    assert len(tables.vo2max) == 0 and not tables.unread
