from typing import Any

import pytest
from garmin_documents import activity, curated, known, readings, stored

from include.curate import curate
from include.curate.sports import sport_of
from include.curate.tables import COLUMNS


def test_no_documents_give_tables_without_rows_but_with_columns() -> None:
    for tables in (curate([]), curated(None, [], [[]])):
        for table, frame in tables.frames().items():
            assert len(frame) == 0
            assert list(frame.columns) == list(COLUMNS[table])
        assert not tables.unread


def test_documents_of_two_athletes_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one athlete: ann, bob"):
        curate([stored([]), stored([], athlete="bob")])


def test_an_item_of_the_activity_list_is_in_metres_seconds_and_kcal() -> None:
    item = activity(
        7,
        "trail_running",
        averageSpeed=2.778,
        averageHR=151.0,
        maxHR=175.0,
        avgPower=250.0,
        activityTrainingLoad=120.5,
        aerobicTrainingEffect=3.4,
        anaerobicTrainingEffect=0.0,
        hrTimeInZone_1=60.5,
        hrTimeInZone_5=30.0,
        manualActivity=False,
        parentId=None,
    )
    assert known(curated([item], kind="activity_list").activities) == [
        {
            "activity_id": "7",
            "started_at_utc": "2025-05-01 06:00:00",
            "day": "2025-05-01",
            "sport": "running",
            "duration_s": 3600.0,
            "distance_m": 10_000.0,
            "elevation_gain_m": 80.0,
            "avg_speed_mps": 2.778,
            "avg_hr_bpm": 151.0,
            "max_hr_bpm": 175.0,
            "avg_power_w": 250.0,
            "energy_kcal": 600.0,
            "training_load": 120.5,
            "aerobic_te": 3.4,
            "anaerobic_te": 0.0,
            "hr_zone_1_s": 60.5,
            "hr_zone_5_s": 30.0,
            "is_manual": False,
            "source": "activity_list",
        }
    ]


def test_an_activity_summary_tells_its_values_one_level_down() -> None:
    answer = {
        "activityId": 7,
        "activityTypeDTO": {"typeKey": "road_biking"},
        "metadataDTO": {"manualActivity": True, "deviceMetaDataDTO": {"deviceId": "33"}},
        "summaryDTO": {
            "startTimeLocal": "2025-05-01T08:00:00.0",
            "startTimeGMT": "2025-05-01T06:00:00.0",
            "duration": 3600.0,
            "distance": 30_000.0,
            "elevationGain": 300.0,
            "averageSpeed": 8.33,
            "averageHR": 140.0,
            "maxHR": 170.0,
            "averagePower": 200.0,
            "calories": 700.0,
            "trainingEffect": 3.1,
            "anaerobicTrainingEffect": 0.5,
            "activityTrainingLoad": 99.0,
        },
    }
    assert known(curated(answer, kind="activity").activities) == [
        {
            "activity_id": "7",
            "started_at_utc": "2025-05-01 06:00:00",
            "day": "2025-05-01",
            "sport": "cycling",
            "duration_s": 3600.0,
            "distance_m": 30_000.0,
            "elevation_gain_m": 300.0,
            "avg_speed_mps": 8.33,
            "avg_hr_bpm": 140.0,
            "max_hr_bpm": 170.0,
            "avg_power_w": 200.0,
            "energy_kcal": 700.0,
            "training_load": 99.0,
            "aerobic_te": 3.1,
            "anaerobic_te": 0.5,
            "is_manual": True,
            "source": "activity",
        }
    ]


def test_exported_activities_are_brought_from_centimetres_milliseconds_and_kilojoules() -> None:
    item = {
        "activityId": 7,
        "activityType": "running",
        "startTimeLocal": 1746086400000.0,  # 2025-05-01 08:00 on the wall
        "beginTimestamp": 1746079200000,
        "duration": 3_600_000.0,
        "distance": 1_000_000.0,
        "elevationGain": 8_000.0,
        "avgSpeed": 0.2778,
        "avgHr": 151.0,
        "maxHr": 175.0,
        "calories": 2510.4,
        "hrTimeInZone_2": 60_500.0,
        "vO2MaxValue": 50.0,
        "deviceId": 33,
    }
    tables = curated([{"summarizedActivitiesExport": [item]}], kind="export")
    (row,) = known(tables.activities)
    assert row.pop("energy_kcal") == pytest.approx(600.0)
    assert row.pop("avg_speed_mps") == pytest.approx(2.778)
    assert row == {
        "activity_id": "7",
        "started_at_utc": "2025-05-01 06:00:00",
        "day": "2025-05-01",
        "sport": "running",
        "duration_s": 3600.0,
        "distance_m": 10_000.0,
        "elevation_gain_m": 80.0,
        "avg_hr_bpm": 151.0,
        "max_hr_bpm": 175.0,
        "hr_zone_2_s": 60.5,
        "is_manual": False,
        "source": "export",
    }
    reading = {"vo2max": 50.0, "is_precise": False, "activity_vo2max": 50.0, "device": "33"}
    assert known(tables.vo2max) == [{"day": "2025-05-01", "sport": "running", **reading}]


def test_the_day_of_an_activity_is_the_local_one() -> None:
    item = activity(startTimeLocal="2025-05-01 23:30:00", startTimeGMT="2025-05-02 06:30:00")
    assert known(curated([item]).activities)[0]["day"] == "2025-05-01"


def test_without_local_time_the_day_is_that_in_utc() -> None:
    item = activity(startTimeLocal=None, startTimeGMT=None, beginTimestamp=1746079200000)
    (row,) = known(curated([item]).activities)
    assert (row["day"], row["started_at_utc"]) == ("2025-05-01", "2025-05-01 06:00:00")


@pytest.mark.parametrize("start", ["2025-05-01T08:00:00+02:00", "2025-05-01T06:00:00Z", "2025-05-01 06:00:00.0"])
def test_a_moment_with_a_zone_is_brought_to_utc(start: str) -> None:
    item = activity(startTimeGMT=start)
    assert known(curated([item]).activities)[0]["started_at_utc"] == "2025-05-01 06:00:00"


def test_a_daily_summary_is_a_day() -> None:
    answer = {
        "calendarDate": "2025-05-01",
        "totalSteps": 9000,
        "restingHeartRate": 48,
        "averageStressLevel": 30,
        "bodyBatteryHighestValue": 90,
        "bodyBatteryLowestValue": 20,
        "sleepingSeconds": 99,
    }
    assert known(curated(answer).days) == [
        {
            "day": "2025-05-01",
            "resting_hr_bpm": 48.0,
            "stress_avg": 30.0,
            "body_battery_max": 90.0,
            "body_battery_min": 20.0,
            "steps": 9000.0,
        }
    ]


@pytest.mark.parametrize("stress", [-1, -2, 0, None])
def test_codes_of_not_measured_are_unknown(stress: int | None) -> None:
    answer = {"calendarDate": "2025-05-01", "restingHeartRate": 48, "averageStressLevel": stress, "weight": 0}
    assert known(curated(answer).days) == [{"day": "2025-05-01", "resting_hr_bpm": 48.0}]


def test_a_day_of_which_nothing_is_known_is_no_row() -> None:
    tables = curated({"calendarDate": "2025-05-01", "totalSteps": None, "restingHeartRate": None})
    assert len(tables.days) == 0 and not tables.unread


def test_sleep_is_what_garmin_sums_or_the_sum_of_its_stages() -> None:
    answer = {"dailySleepDTO": {"calendarDate": "2025-05-01", "sleepTimeSeconds": 27_000, "deepSleepSeconds": 1}}
    export = [
        {"calendarDate": "2025-05-02", "deepSleepSeconds": 3600, "lightSleepSeconds": 18_000, "remSleepSeconds": None}
    ]
    assert known(curated(answer, export, kind="sleep").days) == [
        {"day": "2025-05-01", "sleep_s": 27_000.0},
        {"day": "2025-05-02", "sleep_s": 21_600.0},
    ]


def test_a_night_without_data_is_no_row() -> None:
    answer = {"dailySleepDTO": {"calendarDate": "2025-05-01", "sleepTimeSeconds": None}}
    assert len(curated(answer, {"dailySleepDTO": {"calendarDate": None}}, kind="sleep").days) == 0


def test_hrv_comes_as_a_day_and_as_a_range() -> None:
    one = {"hrvSummary": {"calendarDate": "2025-05-01", "lastNightAvg": 61}, "hrvReadings": []}
    many = {"hrvSummaries": [{"calendarDate": f"2025-05-0{day}", "lastNightAvg": 60 + day} for day in (2, 3)]}
    assert known(curated(one, many, kind="hrv").days) == [
        {"day": f"2025-05-0{day}", "hrv_ms": 60.0 + day} for day in (1, 2, 3)
    ]


def test_exported_health_tells_hrv_among_other_metrics() -> None:
    metrics = [{"type": "HRV", "value": 61.0}, {"type": "HR", "value": 46.0}, {"type": "SPO2", "value": 0.0}]
    rows = [
        {"calendarDate": "2025-05-01", "metrics": metrics},
        {"calendarDate": "2025-05-02", "metrics": metrics[1:]},
        {"calendarDate": "2025-05-03", "metrics": [{"type": "HRV", "value": 0.0}]},
    ]
    assert known(curated(rows).days) == [{"day": "2025-05-01", "hrv_ms": 61.0}]


def test_exported_weighings_are_one_level_down_in_grams() -> None:
    rows = [
        {"metaData": {"calendarDate": "2025-05-01T07:00:00.0"}, "weight": {"weight": 70_500.0}},
        {"metaData": {"calendarDate": "2025-05-02T07:00:00.0"}, "height": {"height": 180.0}},
    ]
    tables = curated(rows)
    assert known(tables.days) == [{"day": "2025-05-01", "weight_kg": 70.5}] and not tables.unread


def test_weighings_are_in_grams() -> None:
    answer = {"startDate": "2025-05-01", "dateWeightList": [{"calendarDate": "2025-05-01", "weight": 70_500.0}]}
    assert known(curated(answer).days) == [{"day": "2025-05-01", "weight_kg": 70.5}]


def test_exported_days_hold_stress_and_body_battery_in_lists() -> None:
    row = {
        "calendarDate": {"date": "Aug 18, 2020 12:00:00 AM"},
        "totalSteps": 9000,
        "restingHeartRate": 48,
        "allDayStress": {
            "aggregatorList": [
                {"type": "AWAKE", "averageStressLevel": 40},
                {"type": "TOTAL", "averageStressLevel": 30},
            ]
        },
        "bodyBattery": {
            "bodyBatteryStatList": [
                {"bodyBatteryStatType": "HIGHEST", "statsValue": 90},
                {"bodyBatteryStatType": "LOWEST", "statsValue": 20},
            ]
        },
    }
    assert known(curated([row], kind="export").days) == [
        {
            "day": "2020-08-18",
            "resting_hr_bpm": 48.0,
            "stress_avg": 30.0,
            "body_battery_max": 90.0,
            "body_battery_min": 20.0,
            "steps": 9000.0,
        }
    ]


def test_a_row_of_daily_json_holds_a_day_and_two_readings() -> None:
    row = {
        "calendarDate": "2025-05-01",
        "hrvLastNightAvg": 61,
        "sleepTimeSeconds": 27_000,
        "weight": 70_500,
        "vo2MaxPreciseValue": 50.3,
        "vo2MaxValue": 50.0,
        "cyclingVo2MaxValue": 54.0,
    }
    tables = curated([row])
    assert known(tables.days) == [{"day": "2025-05-01", "hrv_ms": 61.0, "sleep_s": 27_000.0, "weight_kg": 70.5}]
    assert readings(tables) == [("2025-05-01", "cycling", 54.0, False), ("2025-05-01", "running", 50.3, True)]


def test_several_documents_make_one_day_and_nothing_never_replaces_a_value() -> None:
    tables = curated(
        {"calendarDate": "2025-05-01", "restingHeartRate": 48, "totalSteps": 10},
        {"hrvSummary": {"calendarDate": "2025-05-01", "lastNightAvg": 61}},
        {"calendarDate": "2025-05-01", "restingHeartRate": None, "totalSteps": 9000},
    )
    assert known(tables.days) == [{"day": "2025-05-01", "resting_hr_bpm": 48.0, "hrv_ms": 61.0, "steps": 9000.0}]


def test_documents_are_taken_in_order_of_fetch_whatever_order_they_come_in() -> None:
    early, late = ({"calendarDate": "2025-05-01", "totalSteps": steps} for steps in (1, 2))
    for documents in ([stored(early, order=0), stored(late, order=1)], [stored(late, order=1), stored(early, order=0)]):
        assert known(curate(documents).days)[0]["steps"] == 2.0


def test_an_activity_on_two_pages_is_one_row_of_the_later_values() -> None:
    first = [activity(2, day="2025-05-02"), activity(1, averageHR=150.0)]
    second = [activity(1, distance=11_000.0, averageHR=None), activity("3", day="2025-05-03")]
    rows = known(curated(first, second, kind="activity_list").activities)
    assert sorted(row["activity_id"] for row in rows) == ["1", "2", "3"]
    (row,) = [row for row in rows if row["activity_id"] == "1"]
    assert (row["distance_m"], row["avg_hr_bpm"]) == (11_000.0, 150.0)


def test_what_training_status_and_readiness_tell_besides_vo2max_feeds_no_table_and_is_no_fault() -> None:
    tables = curated(
        {"mostRecentVO2Max": None, "mostRecentTrainingStatus": {"latestTrainingStatusData": {}}},
        {"mostRecentVO2Max": {"generic": None, "cycling": None}},
        [{"acuteLoad": 10, "calendarDate": "2025-05-01"}],
        kind="training_status",
    )
    assert not tables.unread
    assert all(len(frame) == 0 for frame in tables.frames().values())


def test_a_manual_activity_is_marked_and_has_no_heart_rate() -> None:
    (row,) = known(curated([activity(manualActivity=True, averageHR=0.0, maxHR=None)]).activities)
    assert row["is_manual"] is True
    assert "avg_hr_bpm" not in row and "max_hr_bpm" not in row


def test_an_activity_without_start_is_a_row_without_day() -> None:
    tables = curated([activity(startTimeLocal=None, startTimeGMT=None, vO2MaxValue=50.0)])
    assert tables.activities["day"].isna().all() and len(tables.activities) == 1
    assert len(tables.vo2max) == 0


@pytest.mark.parametrize(
    ("key", "sport"),
    [
        ("running", "running"),
        ("Treadmill_Running", "running"),
        ("virtual_run", "running"),
        ("indoor_cycling", "cycling"),
        ("mountain_biking", "cycling"),
        ("e_bike_fitness", "other"),
        ("open_water_swimming", "swimming"),
        ("casual_walking", "walking"),
        ("rucking", "hiking"),
        ("strength_training", "strength"),
        ("multi_sport", "multisport"),
        ("indoor_climbing", "other"),
        ("enduro_mtb", "cycling"),
        ("motorcycling", "other"),
        ("indoor_handcycling", "other"),
        ("wheelchair_push_run", "other"),
        ("bikeToRunTransition", "other"),
        ("yoga", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_every_type_is_one_of_the_few_sports(key: str | None, sport: str) -> None:
    assert sport_of(key) == sport


@pytest.mark.parametrize("name", ["avg_hr_bpm", "distance_m", "training_load"])
def test_a_number_means_the_same_as_text(name: str) -> None:
    as_text = {"averageHR": "150.0", "distance": "10000", "activityTrainingLoad": " 110.5 ", "vO2MaxValue": "48.0"}
    as_number = {"averageHR": 150.0, "distance": 10_000, "activityTrainingLoad": 110.5, "vO2MaxValue": 48.0}
    tables = curated([activity(**as_text)])
    assert known(tables.activities)[0][name] == known(curated([activity(**as_number)]).activities)[0][name]
    assert tables.vo2max["vo2max"].tolist() == [48.0] and not tables.unread


@pytest.mark.parametrize("text", ["NaN", "inf", "forty", "1_000", "", "1e99", "48,0"])
def test_text_that_is_no_number_is_counted(text: str) -> None:
    tables = curated([activity(averageHR=text)])
    assert tables.activities["avg_hr_bpm"].isna().all()
    assert tables.unread == {"averageHR: not a number": 1}


@pytest.mark.parametrize("activity_id", [17, 17.0, "17", "17.0", " 17 "])
def test_an_id_means_the_same_in_every_type(activity_id: Any) -> None:
    assert curated([activity(activityId=activity_id)]).activities["activity_id"].tolist() == ["17"]


@pytest.mark.parametrize(
    ("flag", "is_manual"), [(1, True), ("true", True), ("False", False), (0, False), ("maybe", False)]
)
def test_a_flag_means_the_same_in_every_type(flag: Any, is_manual: bool) -> None:
    assert curated([activity(manualActivity=flag)]).activities["is_manual"].tolist() == [is_manual]


@pytest.mark.parametrize("activity_type", [None, "running", {"typeKey": None}, {"typeKey": "running"}, "missing"])
def test_an_activity_counts_whatever_is_told_of_its_type(activity_type: Any) -> None:
    item = activity(activityType=activity_type)
    if activity_type == "missing":
        del item["activityType"]
    tables = curated([item])
    expected = "running" if activity_type in ("running", {"typeKey": "running"}) else "other"
    assert tables.activities["sport"].tolist() == [expected] and not tables.unread


def test_the_type_in_an_export_may_be_an_object() -> None:
    item = {"activityId": 1, "activityType": {"typeKey": "trail_running"}, "beginTimestamp": 1746079200000}
    tables = curated([{"summarizedActivitiesExport": [item | {"vO2MaxValue": 48.0}]}], kind="export")
    assert (tables.activities["sport"].tolist(), tables.vo2max["vo2max"].tolist()) == (["running"], [48.0])


@pytest.mark.parametrize("local", ["2025-06-10T00:20:00+02:00", "2025-06-10 00:20:00-09:00", "2025-06-10T00:20:00Z"])
def test_the_day_of_a_local_time_is_that_of_its_wall_clock_whatever_offset_stands_behind_it(local: str) -> None:
    item = activity() | {"startTimeLocal": local, "startTimeGMT": "2025-06-09T22:20:00Z"}
    (row,) = known(curated([item]).activities)
    assert (row["day"], row["started_at_utc"]) == ("2025-06-10", "2025-06-09 22:20:00")
    assert known(curated({"calendarDate": local, "totalSteps": 9}).days)[0]["day"] == "2025-06-10"


def test_a_time_in_milliseconds_means_the_same_as_text() -> None:
    item = activity() | {"startTimeLocal": "1746086400000", "startTimeGMT": "1746079200000"}
    (row,) = known(curated([item]).activities)
    assert (row["day"], row["started_at_utc"]) == ("2025-05-01", "2025-05-01 06:00:00")


def test_readings_that_the_training_status_alone_tells_are_of_their_own_dates() -> None:
    def status(day: str, precise: float) -> dict[str, Any]:
        return {"mostRecentVO2Max": {"generic": {"calendarDate": day, "vo2MaxPreciseValue": precise}, "cycling": None}}

    told = [status("2025-04-28", 48.3), status("2025-04-28", 48.3), status("2025-05-02", 48.6)]
    tables = curated([{"generic": {"calendarDate": "2025-05-01", "vo2MaxPreciseValue": 48.4}}], *told)
    assert [(row["day"], row["vo2max"]) for row in known(tables.vo2max)] == [
        ("2025-04-28", 48.3),
        ("2025-05-01", 48.4),
        ("2025-05-02", 48.6),
    ]


def _sleep(seconds: int, start: str, end: str, **more: Any) -> dict[str, Any]:
    """A row of the export's sleep data."""
    times = {"sleepStartTimestampGMT": f"2025-05-{start}:00.0", "sleepEndTimestampGMT": f"2025-05-{end}:00.0"}
    return {"calendarDate": "2025-05-01", "deepSleepSeconds": seconds, **times, **more}


NIGHT = _sleep(25_200, "01T00:00", "01T07:00")
NAP = _sleep(2_400, "01T13:00", "01T13:40")


@pytest.mark.parametrize("documents", [[[NIGHT, NAP]], [[NAP, NIGHT]], [[NIGHT], [NAP]], [[NAP], [NIGHT], [NAP]]])
def test_of_two_sleeps_of_a_day_the_longest_is_the_nights(documents: list[Any]) -> None:
    assert curated(*documents, kind="export").days["sleep_s"].tolist() == [25_200.0]


def test_a_sleep_that_was_corrected_replaces_the_earlier_even_when_it_is_shorter() -> None:
    corrected = _sleep(21_600, "01T00:30", "01T06:30")
    assert curated([NIGHT], [corrected], kind="export").days["sleep_s"].tolist() == [21_600.0]
    answers = [{"dailySleepDTO": {"calendarDate": "2025-05-01", "sleepTimeSeconds": told}} for told in (25_200, 18_000)]
    assert curated(*answers, kind="sleep").days["sleep_s"].tolist() == [18_000.0]


def test_a_further_sleep_without_times_is_no_correction_of_the_night() -> None:
    without_times = {"calendarDate": "2025-05-01", "deepSleepSeconds": 2_400}
    assert curated([NIGHT], [without_times], kind="export").days["sleep_s"].tolist() == [25_200.0]


def test_a_sleep_without_stages_is_no_measurement() -> None:
    unconfirmed = _sleep(0, "01T13:00", "01T23:00", sleepWindowConfirmationType="UNCONFIRMED") | {
        "deepSleepSeconds": None
    }
    assert curated([NIGHT, unconfirmed], kind="export").days["sleep_s"].tolist() == [25_200.0]
    assert len(curated([unconfirmed], kind="export").days) == 0


def test_the_resting_heart_rate_is_that_of_the_day_whatever_the_source() -> None:
    summary = {
        "calendarDate": "2025-05-01",
        "restingHeartRate": 47,
        "lastSevenDaysAvgRestingHeartRate": 48,
        "totalSteps": 9,
    }
    exported = {
        "calendarDate": "2025-05-01",
        "restingHeartRate": 48,
        "currentDayRestingHeartRate": 47,
        "userProfilePK": 1,
    }
    assert [curated(told).days["resting_hr_bpm"].tolist() for told in (summary, [exported])] == [[47.0], [47.0]]


def test_a_day_of_an_export_without_a_resting_heart_rate_of_its_own_has_none() -> None:
    exported = {"calendarDate": "2025-05-01", "restingHeartRate": 48, "userProfilePK": 1, "totalSteps": 9}
    assert curated([exported | {"currentDayRestingHeartRate": None}]).days["resting_hr_bpm"].isna().all()
    assert curated([exported]).days["resting_hr_bpm"].tolist() == [48.0]
