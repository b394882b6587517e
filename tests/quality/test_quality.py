"""Rows that break a rule are rejected with the reason; nothing vanishes; one athlete's rows never touch another's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from moto import mock_aws

from include.curate.tables import KEYS, Tables, empty_tables, to_frame
from include.quality import Validation, validate, write_data_docs, write_quarantine
from include.quality.expectations import RULES, Between

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
        activity("broken", 4, day=None),
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
        }
    )


def test_each_rejected_row_tells_every_rule_it_broke(validation: Validation) -> None:
    rejected = validation.verdicts["broken"].rejected["activities"].set_index("activity_id")["reason"]
    assert rejected["2"] == "avg_hr_bpm outside 25 to 250"
    assert rejected["3"].startswith("avg_hr_bpm outside 25 to 250; sport not one of running")
    assert rejected["4"] == "day missing"
    assert list(rejected.loc["5"]) == ["not unique by athlete_id, activity_id"] * 2


def test_readings_out_of_range_or_missing_are_rejected(validation: Validation) -> None:
    rejected = validation.verdicts["broken"].rejected["vo2max"]
    assert sorted(rejected["reason"]) == ["vo2max missing", "vo2max outside 15 to 95"]
    assert validation.verdicts["broken"].clean.vo2max["vo2max"].tolist() == [52.0]


def test_clean_and_rejected_rows_add_up_to_what_was_checked(validation: Validation) -> None:
    verdict = validation.verdicts["broken"]
    assert len(verdict.clean.activities) + len(verdict.rejected["activities"]) == 6
    assert verdict.rejected_rows == 5 + 2


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
    assert verdict.failures == ("12 of 12 rows of activities rejected, first: duration_s outside 0 to 259200",)


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
    assert kept["reason"].tolist() == ["vo2max outside 15 to 95", "vo2max missing"]

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
