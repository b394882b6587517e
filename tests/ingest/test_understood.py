"""An athlete of whom nothing is known after all was read fails with what was found and what was expected."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.garmin.open import open_source
from include.garmin.planning import Batch
from include.garmin.registry import Athlete
from include.ingest.batch import Task, ingest_batch
from include.ingest.places import Places
from include.ingest.report import Report

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="lake")
        yield Places(s3, "lake", None, "group")


def _ingested(places: Places, folder: Path, files: dict[str, Any]) -> Report:
    athlete = folder / "ann"
    athlete.mkdir()
    for name, rows in files.items():
        (athlete / name).write_text(json.dumps(rows))
    spec = f"folder:{folder}"
    batch = Batch((Athlete("ann", spec),), (None, None))
    return ingest_batch(places, batch, {"ann": spec}, lambda given: open_source(given, NOW.date()), Task("run", 0, NOW))


def _reasons(report: Report, step: str) -> list[str]:
    return [failure.reason for failure in report.failures if failure.step == step]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"activities.json": []}, "raw holds 1 activity_list documents; expected activities (activityId"),
        (
            {"activities.json": [{"startTimeLocal": "2026-03-01 08:00:00", "what": 1}]},
            "not read: object of no known shape (keys 'startTimeLocal', 'what') (1); expected",
        ),
        (
            {"activities.json": [], "daily.json": [{"calendarDate": "2026-03-01", "totalSteps": 9000}]},
            "raw holds 1 activity_list, 1 day documents, which tell of 1 days; expected",
        ),
    ],
    ids=["empty", "not understood", "days alone"],
)
def test_nothing_understood_is_a_failure_that_says_what_was_found(
    places: Places, tmp_path: Path, files: dict[str, Any], found: str
) -> None:
    report = _ingested(places, tmp_path, files)
    (reason,) = _reasons(report, "features")
    assert reason.startswith("NothingUnderstood: no activity and no VO2max reading: ") and found in reason
    assert report.done == []


def test_an_athlete_whose_fetch_failed_is_told_once(places: Places, tmp_path: Path) -> None:
    report = _ingested(places, tmp_path, {"activities.json": {"a": 1}})
    assert "expected a JSON list" in _reasons(report, "fetch")[0]
    assert [failure.step for failure in report.failures] == ["fetch"]
