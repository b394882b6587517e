"""The requests of a day, counted on a made-up athlete, against the constants that the bill is computed with."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.curate import context_start, curate, days_start, read_tables, write_tables
from include.features.build import build_features
from include.features.schema import COLUMNS
from include.features.store import to_record
from include.garmin.fetching import LATE_SYNC_DAYS, fetch_athlete
from include.garmin.open import open_source
from include.garmin.raw import read_raw
from infra.cost import quantities as q

BUCKET = "counted"
TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
YEARS = 1


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def test_the_requests_of_a_day_are_those_that_the_bill_counts(s3: Any) -> None:
    source = open_source(f"synthetic:athletes=1,years={YEARS}", TODAY, lambda _: s3)
    athlete = source.athletes()[0]
    fetch_athlete(s3, BUCKET, source, athlete, (None, TODAY - timedelta(days=1)), NOW, live=False, again=False)
    tables = curate(read_raw(s3, BUCKET, athlete), None)
    write_tables(s3, BUCKET, athlete, tables, tables.since_month)

    counted: Counter[str] = Counter()
    s3.meta.events.register("before-call.s3", lambda model, **_: counted.update([model.name]))
    first = TODAY - timedelta(days=LATE_SYNC_DAYS)
    fetch_athlete(s3, BUCKET, source, athlete, (first, TODAY), NOW, live=False, again=False)
    since = first.replace(day=1)
    documents = read_raw(s3, BUCKET, athlete, context_start(since), days_start(since))
    month = curate(documents, since)
    write_tables(s3, BUCKET, athlete, month, month.since_month)
    raw_reads = counted["GetObject"]
    for _ in ("validate", "features"):
        tables_read = read_tables(s3, BUCKET, athlete)

    assert counted["ListObjectsV2"] == q.LISTS_A_DAY
    assert counted["PutObject"] == 17 <= q.WRITES_A_DAY
    assert 0 < raw_reads <= q.RAW_READS_A_DAY, "a live source has more documents, never fewer"
    of_years = q.TABLE_READS_A_DAY * YEARS / q.HISTORY_YEARS
    assert counted["GetObject"] - raw_reads == pytest.approx(of_years, abs=2 * q.TABLES)

    rows = build_features(tables_read)
    records = (to_record(dict(zip(COLUMNS, row, strict=True))) for row in rows[list(COLUMNS)].itertuples(index=False))
    sizes = [sum(len(part["FeatureName"] + part["ValueAsString"]) for part in record) for record in records]
    assert max(sizes) <= 1024 * q.WRITE_UNITS_OF_A_RECORD
    stored = sum(o["Size"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"])
    assert stored / YEARS * q.HISTORY_YEARS < q.STORED_MB * 1e6
