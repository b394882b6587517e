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
    items = [activity(1, vO2MaxValue=50.0), activity(2, "cycling", vO2MaxValue=54.0)]
    assert readings(curated(items)) == [(DAY, "cycling", 54.0, False), (DAY, "running", 50.0, False)]


def test_what_walks_and_legs_carry_is_left_out_and_counted() -> None:
    items = [activity(1, "walking", vO2MaxValue=45.0), activity(2, vO2MaxValue=50.0, parentId=9)]
    tables = curated(items)
    assert readings(tables) == []
    assert tables.mends == {"vo2max_of_other_sport_left_out": 2}


def test_a_value_of_the_day_on_which_only_a_ride_carries_one_is_cycling() -> None:
    tables = curated([activity(1, "cycling", vO2MaxValue=54.0)], [{"calendarDate": DAY, "vo2MaxPreciseValue": 54.2}])
    assert readings(tables) == [(DAY, "cycling", 54.2, True)]
    assert tables.mends == {"vo2max_of_day_moved_to_cycling": 1}


def test_a_value_of_the_day_on_which_only_a_walk_carries_one_is_left_out() -> None:
    tables = curated([activity(1, "walking", vO2MaxValue=45.0)], [{"calendarDate": DAY, "vo2MaxValue": 45.0}])
    assert readings(tables) == []
    assert tables.mends["vo2max_of_day_left_out"] == 1


def test_a_reading_without_date_is_counted() -> None:
    tables = curated([{"generic": {"vo2MaxPreciseValue": 50.3}}])
    assert readings(tables) == []
    assert tables.unread == {"reading without date": 1}
