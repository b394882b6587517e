"""The requests of a day, counted on a made-up athlete, against the constants that the bill is computed with."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.features.offline_files import OfflineStore
from include.garmin.document import Source
from include.garmin.fetching import LATE_SYNC_DAYS, from_first_missed_day
from include.garmin.open import open_source
from include.garmin.planning import Batch, Days
from include.garmin.registry import Athlete
from include.ingest.batch import Task, fetch_live, ingest_batch
from include.ingest.places import Places
from include.ingest.write_features import write_features
from infra.cost import quantities as q

BUCKET = "counted"
STORE = OfflineStore(BUCKET, "feature-store")
TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
YEARS = 1


class OnlineStore:
    """The newest record of each athlete, and how often it was asked for and put."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, str]]] = {}
        self.calls: Counter[str] = Counter()

    def get_record(self, RecordIdentifierValueAsString: str, **_: Any) -> dict[str, Any]:
        self.calls["GetRecord"] += 1
        return {"Record": self.records.get(RecordIdentifierValueAsString)}

    def put_record(self, Record: list[dict[str, str]], **_: Any) -> None:
        self.calls["PutRecord"] += 1
        values = {part["FeatureName"]: part["ValueAsString"] for part in Record}
        self.records[values["athlete_id"]] = Record


class Counted:
    """The requests to S3 by action and first part of the key, and the bytes of what was read."""

    def __init__(self, s3: Any) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.read_bytes = 0
        s3.meta.events.register("provide-client-params.s3", self._request)
        s3.meta.events.register("after-call.s3.GetObject", self._answer)

    def _request(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        place = params.get("Key") or params.get("Prefix", "")
        self.requests[model.name, place.partition("/")[0]] += 1

    def _answer(self, parsed: dict[str, Any], **_: Any) -> None:
        self.read_bytes += parsed.get("ContentLength", 0)

    def of(self, action: str, place: str | None = None) -> int:
        """How often it was asked, of one first part of keys or of all."""
        return sum(count for (name, at), count in self.requests.items() if name == action and place in (None, at))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def ingest(places: Places, source: Source, run: str, days: Days, *, live: bool) -> None:
    """A run of garmin_ingest of one batch: what its tasks do, `live` as with athletes for whom Garmin is asked."""
    names = source.athletes()
    batches = [Batch(tuple(Athlete(name) for name in names), days)]
    if live:
        for _ in ("plan", "plan_live"):
            batches = from_first_missed_day(places.s3, BUCKET, batches)
        assert fetch_live(places, batches[0], "", lambda _: source, NOW).done == names
    files = {} if live else dict.fromkeys(names, "")
    report = ingest_batch(places, batches[0], files, lambda _: source, Task(run, 0, NOW))
    assert (report.done, report.failures) == (names, [])
    assert write_features(places, STORE, run, lambda: NOW).report.done == names


def sizes(s3: Any, *, inside: bool) -> list[int]:
    """Bytes of each object that is in the bucket, inside the offline store or outside."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    kept = [(item["Key"], item["Size"]) for page in pages for item in page["Contents"]]
    return [size for key, size in kept if key.startswith(f"{STORE.prefix}/") == inside]


@pytest.mark.parametrize(("live", "athletes"), [(True, 1), (True, 3), (False, 1)])
def test_the_requests_of_a_day_are_those_that_the_bill_counts(s3: Any, live: bool, athletes: int) -> None:
    online = OnlineStore()
    places = Places(s3, BUCKET, online, "group")
    source = open_source(f"synthetic:athletes={athletes},years={YEARS}", TODAY)
    ingest(places, source, "load", (None, TODAY - timedelta(days=1)), live=False)
    assert online.calls == dict.fromkeys(("GetRecord", "PutRecord"), athletes * q.RECORDS_A_DAY)
    online.calls.clear()
    counted = Counted(s3)
    ingest(places, source, "day", (TODAY - timedelta(days=LATE_SYNC_DAYS), TODAY), live=live)

    assert online.calls == dict.fromkeys(("GetRecord", "PutRecord"), athletes * q.RECORDS_A_DAY)
    of_years = q.TABLE_READS_A_DAY * YEARS / q.HISTORY_YEARS
    assert counted.of("GetObject", "curated") == pytest.approx(athletes * of_years, abs=athletes * q.TABLES)
    assert 0 < counted.of("GetObject", "raw") <= athletes * q.RAW_READS_A_DAY, "a watch has more documents, never fewer"
    assert counted.of("GetObject", "state") == q.READS_OF_A_BATCH + athletes * (
        q.STATE_READS_A_DAY if live else q.STATE_READS_OF_FILES_A_DAY
    )
    assert counted.read_bytes / athletes / YEARS * q.HISTORY_YEARS < q.READ_MB_A_DAY * 1e6

    most_lists = athletes * q.LISTS_A_DAY + q.LISTS_OF_A_RUN
    assert most_lists - 2 * athletes <= counted.of("ListObjectsV2") <= most_lists
    day_files = counted.of("PutObject", "feature-store")
    assert 0 < day_files <= q.DAY_FILES_OF_A_RUN, "a file holds the rows of all athletes"
    of_athletes = counted.of("PutObject") - day_files - q.WRITES_OF_A_BATCH - (q.WRITES_OF_A_RUN - q.DAY_FILES_OF_A_RUN)
    assert 16 * athletes <= of_athletes <= q.WRITES_A_DAY * athletes

    stored, offline = sizes(s3, inside=False), sizes(s3, inside=True)
    assert sum(stored) / athletes / YEARS * q.HISTORY_YEARS < q.STORED_MB * 1e6
    assert max(offline) <= q.OFFLINE_OBJECT_KB * 1e3


def test_a_record_takes_no_more_write_units_than_the_bill_counts(s3: Any) -> None:
    online = OnlineStore()
    source = open_source(f"synthetic:athletes=3,years={YEARS}", TODAY)
    ingest(Places(s3, BUCKET, online, "group"), source, "load", (None, TODAY), live=False)
    for record in online.records.values():
        size = sum(len(part["FeatureName"] + part["ValueAsString"]) for part in record)
        assert size <= 1024 * q.WRITE_UNITS_OF_A_RECORD


def test_the_first_load_writes_a_file_for_each_day_of_all_athletes_and_reads_no_table(s3: Any) -> None:
    counted = Counted(s3)
    source = open_source(f"synthetic:athletes=3,years={YEARS}", TODAY)
    ingest(Places(s3, BUCKET, OnlineStore(), "group"), source, "load", (None, TODAY), live=False)
    day_files = q.DAY_FILES_OF_HISTORY * YEARS / q.HISTORY_YEARS
    assert 0.9 * day_files <= counted.of("PutObject", "feature-store") <= day_files + 1
    assert counted.of("GetObject", "curated") == 0
