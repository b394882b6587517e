from datetime import date, timedelta
from typing import Any

import pytest
from garmin_documents import activity, curated, known, max_met, readings

DAY = "2025-05-01"


def test_a_range_of_max_metrics_has_a_reading_for_each_sport_by_its_own_date() -> None:
    rows = [
        {"generic": max_met(DAY, 50.3, 50.0), "cycling": None, "heatAltitudeAcclimation": None},
        {"generic": None, "cycling": max_met("2025-05-03", 54.1, 54.0)},
    ]
    assert readings(curated(rows, kind="max_metrics")) == [
        (DAY, "running", 50.3, True),
        ("2025-05-03", "cycling", 54.1, True),
    ]


def test_the_export_tells_met_and_its_last_update_of_a_day_wins() -> None:
    rows = [
        {"calendarDate": DAY, "sport": "RUNNING", "maxMet": 14.4, "updateTimestamp": "2025-05-01T20:00:00.0"},
        {"calendarDate": DAY, "sport": "RUNNING", "maxMet": 14.0, "updateTimestamp": "2025-05-01T08:00:00.0"},
        {"calendarDate": "2025-05-02", "maxMet": 14.286, "vo2MaxValue": 50.0},
        {"calendarDate": DAY, "sport": "CYCLING", "maxMet": 16.0},
        {"calendarDate": DAY, "sport": "ROWING", "maxMet": 20.0},
    ]
    assert readings(curated(rows, kind="export")) == [
        (DAY, "cycling", 56.0, True),
        (DAY, "running", 50.4, True),
        ("2025-05-02", "running", 50.0, True),
    ]


def test_exported_readings_of_activities_are_rounded() -> None:
    rows = [{"activityId": 1, "calendarDate": DAY, "sport": "RUNNING", "vo2MaxValue": 50.0}]
    assert readings(curated(rows, kind="export")) == [(DAY, "running", 50.0, False)]


def test_zero_is_not_estimated_and_no_reading() -> None:
    tables = curated(
        [activity(vO2MaxValue=0.0)],
        [{"generic": max_met(DAY, 0.0, 0.0)}],
        [{"calendarDate": DAY, "sport": "RUNNING", "maxMet": 0.0}],
    )
    assert readings(tables) == [] and not tables.unread


def test_a_precise_value_goes_before_a_whole_number_even_of_a_later_document() -> None:
    precise, rounded = [{"generic": max_met(DAY, 50.3)}], [{"generic": max_met(DAY, None, 51.0)}]
    assert readings(curated(precise, rounded)) == [(DAY, "running", 50.3, True)]
    assert readings(curated(rounded, precise)) == [(DAY, "running", 50.3, True)]


def test_of_two_precise_values_the_later_document_wins() -> None:
    documents = [[{"generic": max_met(DAY, value)}] for value in (50.3, 50.4)]
    assert readings(curated(*documents)) == [(DAY, "running", 50.4, True)]


def test_the_series_of_days_goes_before_what_activities_carry_which_stays_beside_it() -> None:
    early = activity(1, vO2MaxValue=49.0, deviceId=33, startTimeLocal=f"{DAY} 06:00:00")
    late = activity(2, vO2MaxValue=51.0, deviceId=33, startTimeLocal=f"{DAY} 18:00:00")
    tables = curated([late, early], [{"generic": max_met(DAY, 50.3)}])
    expected = {"vo2max": 50.3, "is_precise": True, "activity_vo2max": 51.0, "device": "33"}
    assert known(tables.vo2max) == [{"day": DAY, "sport": "running", **expected}]


def test_a_day_without_a_value_of_an_activity_has_nothing_beside_its_reading() -> None:
    tables = curated(
        [activity(1), activity(2, "cycling", vO2MaxValue=54.0)], [{"generic": max_met("2025-05-03", 50.3)}]
    )
    told = {(row["day"], row["sport"]): row.get("activity_vo2max") for row in known(tables.vo2max)}
    assert told == {(DAY, "cycling"): 54.0, ("2025-05-03", "running"): None}


def test_the_last_activity_of_a_day_tells_its_reading() -> None:
    late = activity(1, vO2MaxValue=52.0, startTimeLocal=f"{DAY} 18:00:00")
    assert readings(curated([late, activity(2, vO2MaxValue=51.0)])) == [(DAY, "running", 52.0, False)]


def test_running_and_cycling_stay_two_series() -> None:
    items = [activity(1, vO2MaxValue=50.0), activity(2, "cycling", startTimeLocal=f"{DAY} 18:00:00", vO2MaxValue=54.0)]
    assert readings(curated(items)) == [(DAY, "cycling", 54.0, False), (DAY, "running", 50.0, False)]


def test_what_legs_and_other_sports_carry_is_left_out_and_counted() -> None:
    items = [activity(1, "rowing", vO2MaxValue=45.0), activity(2, day="2025-05-02", vO2MaxValue=50.0, parentId=9)]
    tables = curated(items)
    assert readings(tables) == []
    assert tables.mends == {"vo2max_of_other_sport_left_out": 2}


def test_a_value_of_the_day_on_which_only_a_ride_carries_one_is_cycling() -> None:
    tables = curated([activity(1, "cycling", vO2MaxValue=54.0)], [{"calendarDate": DAY, "vo2MaxPreciseValue": 54.2}])
    assert readings(tables) == [(DAY, "cycling", 54.2, True)]
    assert tables.mends == {"vo2max_of_day_moved_to_cycling": 1}


def walk(number: int, value: float, sport: str = "walking", **more: Any) -> dict[str, Any]:
    """A walk with heart rate, one a day from DAY on."""
    day = str(date.fromisoformat(DAY) + timedelta(days=number))
    return activity(100 + number, sport, day, vO2MaxValue=value, averageHR=112.0, **more)


def test_walks_and_hikes_are_a_series_of_their_own() -> None:
    tables = curated([walk(0, 38.0), walk(1, 38.0, "hiking"), walk(2, 39.0, "speed_walking")])
    assert [row[1:3] for row in readings(tables)] == [("walking", 38.0), ("walking", 38.0), ("walking", 39.0)]
    assert tables.mends == {}


def test_the_series_of_days_of_an_athlete_who_only_walks_is_walking() -> None:
    days = [
        {"calendarDate": walk(n, 0.0)["startTimeLocal"][:10], "vo2MaxPreciseValue": 38.2 + n / 10} for n in range(3)
    ]
    tables = curated([walk(n, 38.0 + n % 2) for n in range(3)], days)
    assert [(row["sport"], row["vo2max"], row["activity_vo2max"]) for row in known(tables.vo2max)] == [
        ("walking", 38.2, 38.0),
        ("walking", pytest.approx(38.3), 39.0),
        ("walking", pytest.approx(38.4), 38.0),
    ]
    assert tables.mends == {"vo2max_of_day_moved_to_walking": 3}


def test_a_walk_that_repeats_the_last_run_is_no_reading_until_its_value_moves() -> None:
    values = {1: 50.0, 2: 50.0, 3: 49.0, 4: 49.0, 5: 50.0}
    run, later = walk(0, 50.0, "running"), walk(6, 50.0, "running")
    tables = curated([run, *(walk(n, value) for n, value in values.items()), later, walk(7, 50.0)])
    walked = [(row["day"][-2:], row["vo2max"]) for row in known(tables.vo2max) if row["sport"] == "walking"]
    assert walked == [("04", 49.0), ("05", 49.0), ("06", 50.0)]
    assert tables.mends == {"vo2max_of_walk_repeated_left_out": 3}


def test_a_run_of_more_than_a_year_ago_is_repeated_by_no_walk() -> None:
    tables = curated([activity(99, day="2024-04-30", vO2MaxValue=38.0), walk(0, 38.0)])
    assert [row[:2] for row in readings(tables)] == [("2024-04-30", "running"), (DAY, "walking")]


def test_a_value_of_the_day_on_which_only_a_repeat_was_carried_is_left_out() -> None:
    day = {"calendarDate": "2025-05-02", "vo2MaxValue": 50.0}
    tables = curated([walk(0, 50.0, "running"), walk(1, 50.0)], day)
    assert readings(tables) == [(DAY, "running", 50.0, False)]
    assert tables.mends == {"vo2max_of_day_left_out": 1, "vo2max_of_walk_repeated_left_out": 1}


def test_a_walk_without_heart_rate_tells_nothing() -> None:
    tables = curated([walk(0, 45.0) | {"averageHR": None}], [{"calendarDate": DAY, "vo2MaxValue": 45.0}])
    assert readings(tables) == []
    assert tables.mends == {"vo2max_of_day_left_out": 1, "vo2max_of_walk_repeated_left_out": 1}


def test_on_a_day_with_a_run_and_a_walk_the_value_of_the_day_is_running() -> None:
    evening = walk(1, 49.0, startTimeLocal=f"{DAY} 18:00:00")
    tables = curated([activity(2, vO2MaxValue=50.0), evening], [{"calendarDate": DAY, "vo2MaxPreciseValue": 49.6}])
    assert readings(tables) == [(DAY, "running", 49.6, True), (DAY, "walking", 49.0, False)]


@pytest.mark.parametrize("more", [{"sport": "plogging"}, {"activityType": None}, {"parentId": 9}])
def test_a_history_of_types_without_a_series_keeps_the_series_of_days(more: dict[str, Any]) -> None:
    tables = curated([activity(1, vO2MaxValue=45.0, **more)], [{"calendarDate": DAY, "vo2MaxPreciseValue": 45.2}])
    assert readings(tables) == [(DAY, "running", 45.2, True)]


def test_a_reading_without_date_is_counted() -> None:
    tables = curated([{"generic": {"vo2MaxPreciseValue": 50.3}}])
    assert readings(tables) == []
    assert tables.unread == {"reading without date": 1}
