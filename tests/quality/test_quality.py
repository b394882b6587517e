"""Rows that break a rule are rejected with the reason; nothing vanishes; one athlete's rows never touch another's."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from moto import mock_aws

from include.curate.tables import KEYS, Tables, empty_tables, to_frame
from include.quality import Validation, validate, write_data_docs, write_quarantine
from include.quality.expectations import RULES, Between
from include.quality.limits import ANY, LIMITS, Severity
from include.quality.understanding import not_understood

ROOT = Path(__file__).parents[2]
BUCKET = "lake-of-tests"


def activity(athlete: str, number: int, **other: Any) -> dict[str, Any]:
    row = {
        "athlete_id": athlete,
        "activity_id": f"{number}",
        "started_at_utc": f"2026-03-{number % 28 + 1:02d}T07:00:00Z",
        "day": f"2026-03-{number % 28 + 1:02d}",
        "sport": "running",
        "duration_s": 3600.0,
        "avg_hr_bpm": 140.0,
    }
    return row | other


def tables_of(athlete: str, activities: list[dict[str, Any]], vo2max: list[dict[str, Any]] | None = None) -> Tables:
    empty = empty_tables()
    readings = to_frame("vo2max", [{"athlete_id": athlete, **row} for row in vo2max or []])
    return Tables(activities=to_frame("activities", activities), days=empty.days, vo2max=readings)


@pytest.fixture(scope="module")
def validation() -> Validation:
    """One run for all tests of this file: starting Great Expectations costs seconds."""
    broken = [
        activity("broken", 1),
        activity("broken", 2, avg_hr_bpm=400.0),
        activity("broken", 3, avg_hr_bpm=400.0, sport="quidditch"),
        activity("broken", 4, day=None, avg_hr_bpm=400.0),
        activity("broken", 5),
        activity("broken", 5),
    ]
    readings = [
        {"day": "2026-03-01", "sport": "running", "vo2max": 52.0},
        {"day": "2026-03-02", "sport": "running", "vo2max": 7.0},
        {"day": "2026-03-03", "sport": "running", "vo2max": None},
    ]
    wrong_unit = [activity("wrong-unit", number, duration_s=3_600_000.0) for number in range(12)]
    return validate(
        {
            "broken": tables_of("broken", broken, readings),
            "fine": tables_of("fine", [activity("fine", number) for number in range(30)]),
            "empty": empty_tables(),
            "wrong-unit": tables_of("wrong-unit", wrong_unit),
            "odd-watch": tables_of("odd-watch", [activity("odd-watch", n, energy_kcal=1e6) for n in range(30)]),
            "pilot": tables_of(
                "pilot",
                [
                    activity("pilot", n, sport=sport, avg_speed_mps=77.8)
                    for n, sport in ((1, "other"), (2, "running"), (3, "cycling"))
                ],
            ),
        }
    )


def test_each_rejected_row_tells_every_rule_it_broke(validation: Validation) -> None:
    rejected = validation.verdicts["broken"].rejected["activities"].set_index("activity_id")["reason"]
    assert rejected["4"] == "avg_hr_bpm outside 20 to 250; day missing"
    assert list(rejected.loc["5"]) == ["not unique by athlete_id, activity_id"] * 2


def test_a_bad_optional_value_costs_the_value_and_not_the_row(validation: Validation) -> None:
    verdict = validation.verdicts["broken"]
    clean = verdict.clean.activities.set_index("activity_id")
    assert clean.index.tolist() == ["1", "2", "3"]
    assert clean["avg_hr_bpm"].isna().tolist() == [False, True, True]
    assert clean["sport"].tolist() == ["running", "running", "other"]
    assert clean["duration_s"].tolist() == [3600.0] * 3
    left_out = verdict.left_out["activities"].set_index("activity_id")
    assert left_out["avg_hr_bpm"].tolist() == [400.0, 400.0]
    assert left_out.loc["2", "reason"] == "avg_hr_bpm outside 20 to 250"
    assert left_out.loc["3", "reason"].startswith("avg_hr_bpm outside 20 to 250; sport not one of running")


def test_a_failed_check_names_athlete_table_rule_and_three_rows(validation: Validation) -> None:
    checks = {check.rule: check for check in validation.verdicts["broken"].checks}
    failed = checks["avg_hr_bpm outside 20 to 250"]
    assert str(failed) == (
        "broken: activities: avg_hr_bpm outside 20 to 250: 3 of 6 (quarantine), such as "
        "activity 2 of 2026-03-03: 400; activity 3 of 2026-03-04: 400; activity 4 of no day: 400"
    )
    assert "values left out in 2" in str(validation.verdicts["broken"])


def test_readings_out_of_range_or_missing_are_rejected(validation: Validation) -> None:
    rejected = validation.verdicts["broken"].rejected["vo2max"]
    assert sorted(rejected["reason"]) == ["vo2max missing", "vo2max outside 10 to 100"]
    assert validation.verdicts["broken"].clean.vo2max["vo2max"].tolist() == [52.0]


def test_clean_and_rejected_rows_add_up_to_what_was_checked(validation: Validation) -> None:
    verdict = validation.verdicts["broken"]
    assert len(verdict.clean.activities) + len(verdict.rejected["activities"]) == 6
    assert verdict.rejected_rows == 3 + 2


def test_another_athletes_faults_touch_nobody(validation: Validation) -> None:
    verdict = validation.verdicts["fine"]
    assert (len(verdict.clean.activities), verdict.rejected, verdict.success) == (30, {}, True)


def test_an_account_without_data_is_fine_and_stays_empty(validation: Validation) -> None:
    verdict = validation.verdicts["empty"]
    assert verdict.success
    assert all(len(frame) == 0 for frame in verdict.clean.frames().values())


def test_a_table_that_is_wrong_throughout_is_condemned(validation: Validation) -> None:
    verdict = validation.verdicts["wrong-unit"]
    assert not verdict.success
    (failure,) = verdict.failures
    assert failure.startswith(
        "wrong-unit: activities: duration_s outside 0 to 1209600: 12 of 12 (stop), such as activity 0 of 2026-03-01: 3600000;"
    )


def test_what_no_forecast_needs_never_condemns_a_table(validation: Validation) -> None:
    verdict = validation.verdicts["odd-watch"]
    assert verdict.success
    assert len(verdict.clean.activities) == 30 and verdict.clean.activities["energy_kcal"].isna().all()
    assert len(verdict.left_out["activities"]) == 30
    assert verdict.first_rejected_month == "2026-03"  # so that the month is written again, without the values


def test_rows_that_are_lost_by_rules_of_several_kinds_add_up() -> None:
    rows = [activity("ann", n, day=None) for n in range(6)] + [activity("ann", 100)] * 6 + [activity("ann", 200)]
    assert not validate({"ann": tables_of("ann", rows)}).verdicts["ann"].success


RECORDED = {
    "a flight across an ocean": ("other", {"duration_s": 50_000.0, "distance_m": 13_000_000.0, "avg_speed_mps": 260.0}),
    "a week through the Pennines in winter": ("running", {"duration_s": 600_000.0, "distance_m": 431_000.0}),
    "six days around a track": (
        "running",
        {"duration_s": 518_400.0, "distance_m": 1_036_000.0, "energy_kcal": 60_000.0},
    ),
    "330 km over every pass of a valley": ("running", {"duration_s": 500_000.0, "elevation_gain_m": 24_000.0}),
    "across America by bike": (
        "cycling",
        {"distance_m": 4_900_000.0, "elevation_gain_m": 53_000.0, "duration_s": 750_000.0},
    ),
    "a sprint": ("running", {"duration_s": 9.6, "distance_m": 100.0, "avg_speed_mps": 10.4}),
    "behind a pace car": ("cycling", {"avg_speed_mps": 45.0}),
    "sailed for three weeks": ("other", {"duration_s": 1_814_400.0, "distance_m": 5_600_000.0}),
    "a day of lifts": ("other", {"elevation_gain_m": 25_000.0}),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_people_record_passes(name: str) -> None:
    sport, values = RECORDED[name]
    for column, value in values.items():
        by_sport = LIMITS["activities"][column]
        low, high = by_sport.get(sport, by_sport[ANY])
        assert low <= value <= high, column


def test_limits_are_those_of_the_sport(validation: Validation) -> None:
    verdict = validation.verdicts["pilot"]
    assert (verdict.success, verdict.rejected) == (True, {})
    clean = verdict.clean.activities.set_index("activity_id")["avg_speed_mps"]
    assert clean.loc["1"] == 77.8 and pd.isna(clean.loc["2"]) and pd.isna(clean.loc["3"])
    assert [check.rule for check in verdict.checks] == [
        "avg_speed_mps outside 0 to 14",
        "avg_speed_mps outside 0 to 50 (cycling, multisport)",
    ]


def test_documents_of_which_much_is_not_understood_stop_the_athlete() -> None:
    tables = replace(empty_tables(), unread={"object of no known shape": 13})
    (failure,) = validate({"ann": tables}).verdicts["ann"].failures
    assert failure.startswith(
        "ann: documents: not understood: found 13 times 'object of no known shape'; expected are Garmin's"
    )


@pytest.mark.parametrize(
    ("unread", "read", "success"), [(9, 1, True), (10, 40, True), (11, 40, False), (300, 10_000, True)]
)
def test_below_a_share_what_is_not_understood_is_told_and_goes_on(unread: int, read: int, success: bool) -> None:
    found = list(
        not_understood("ann", replace(empty_tables(), unread={"item without id or date": unread}, items_read=read))
    )
    assert [check.severity == Severity.QUARANTINE for check in found] == [success]
    assert f"found {unread} times 'item without id or date'" in str(found[0])


def test_vo2max_that_cannot_be_read_in_any_place_stops_the_athlete() -> None:
    tables = replace(
        empty_tables(), unread={"vO2MaxValue: not a number": 5, "averageHR: not a number": 5}, items_read=5
    )
    (check,) = not_understood("ann", tables)
    assert (check.severity, check.table, check.rows) == (Severity.STOP, "vo2max", 5)
    assert "expected is a number such as 48.0" in str(check)


def test_values_of_other_fields_that_cannot_be_read_stop_nobody() -> None:
    assert not list(not_understood("ann", replace(empty_tables(), unread={"averageHR: not a number": 50})))


def test_few_rejected_rows_never_condemn_a_table(validation: Validation) -> None:
    assert validation.verdicts["broken"].success


def test_only_empty_tables_can_be_checked() -> None:
    assert validate({"empty": empty_tables()}).verdicts["empty"].success


def test_every_rule_names_a_column_of_its_table() -> None:
    for table, rules in RULES.items():
        columns = set(empty_tables().frames()[table])
        for rule in rules:
            named = {rule.column} if hasattr(rule, "column") else set(rule.columns)
            assert named <= columns, (table, rule)
            assert not isinstance(rule, Between) or rule.low < rule.high
        assert any(getattr(rule, "columns", None) == KEYS[table] for rule in rules)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def test_quarantine_holds_the_rows_with_their_reasons_and_only_those_of_the_last_run(
    s3: Any, validation: Validation
) -> None:
    keys = write_quarantine(s3, BUCKET, "broken", validation.verdicts["broken"])
    assert keys == [
        "quarantine/activities/athlete_id=broken/month=2026-03/rejected.csv",
        "quarantine/activities/athlete_id=broken/month=unknown/rejected.csv",
        "quarantine/vo2max/athlete_id=broken/month=2026-03/rejected.csv",
    ]
    kept = pd.read_csv(s3.get_object(Bucket=BUCKET, Key=keys[2])["Body"])
    assert kept["reason"].tolist() == ["vo2max outside 10 to 100", "vo2max missing"]
    kept = pd.read_csv(s3.get_object(Bucket=BUCKET, Key=keys[0])["Body"])
    assert kept["left_out"].tolist() == ["row", "row", "value", "value"]
    assert kept["avg_hr_bpm"].tolist() == [140.0, 140.0, 400.0, 400.0]

    clean = validate({"broken": tables_of("broken", [activity("broken", 1)])}).verdicts["broken"]
    assert write_quarantine(s3, BUCKET, "broken", clean) == []
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_run_of_later_months_leaves_what_was_rejected_before(s3: Any, validation: Validation) -> None:
    """Earlier months were written clean: their rejected rows are not seen again, and stay in quarantine."""
    keys = write_quarantine(s3, BUCKET, "broken", validation.verdicts["broken"])
    clean = validate({"broken": tables_of("broken", [activity("broken", 1)])}).verdicts["broken"]
    assert clean.first_rejected_month is None
    assert write_quarantine(s3, BUCKET, "broken", clean, "2026-04") == []
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == keys
    write_quarantine(s3, BUCKET, "broken", clean, "2026-03")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == [keys[1]]


def test_the_first_month_that_loses_a_row_is_known(validation: Validation) -> None:
    assert validation.verdicts["broken"].first_rejected_month == "2026-03"


def test_data_docs_are_pages_of_great_expectations(s3: Any, validation: Validation) -> None:
    write_data_docs(s3, BUCKET, "20261123t000000z-0", validation.data_docs)
    page = s3.get_object(Bucket=BUCKET, Key="quality/run=20261123t000000z-0/activities.html")["Body"].read().decode()
    assert "<html" in page
    assert "avg_hr_bpm" in page


def test_great_expectations_hardly_speaks_of_its_own_import() -> None:
    """In a process of its own: here it is imported already."""
    code = "import logging; logging.basicConfig(level=logging.INFO); from include.quality.check import _context; _context()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len((done.stdout + done.stderr).splitlines()) <= 1  # one of its modules sets a level of its own
