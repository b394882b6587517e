"""What a live source foresees reaches the report of the task, whether the fetch succeeds or not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.garmin import RawDocument, SourceError
from include.garmin.document import Held
from include.garmin.planning import Batch
from include.garmin.registry import Athlete
from include.ingest.batch import fetch_live
from include.ingest.places import Places

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = date(2026, 3, 5)


class ForeseeingSource:
    """One document an athlete, and an error for `broken`."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def athletes(self) -> list[str]:
        return ["ann", "bob"]

    def fetch(self, athlete_id: str, start: date | None, end: date | None, held: Held) -> Iterator[RawDocument]:
        yield RawDocument("day", DAY, "summary", b"{}")
        if athlete_id == self.broken:
            raise SourceError("no answer")

    def warnings(self, athlete_id: str) -> list[str]:
        return [f"the key of {athlete_id} ends"]


@pytest.fixture
def places() -> Iterator[Places]:
    with mock_aws():
        s3: Any = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket-of-tests")
        yield Places(s3, "bucket-of-tests", None, "features")


def test_what_a_source_foresees_is_told_of_athletes_that_came_through_and_of_those_that_failed(places: Places) -> None:
    batch = Batch((Athlete("ann"), Athlete("bob")), (DAY, DAY))
    report = fetch_live(places, batch, "personalapi", lambda _: ForeseeingSource("bob"), NOW)
    assert report.done == ["ann"] and [failure.athlete_id for failure in report.failures] == ["bob"]
    assert report.warnings == ["the key of ann ends", "the key of bob ends"]
