"""From a batch of athletes to feature rows in both stores, against local AWS; broken off and denied at every step."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from include.curate import Tables, read_tables
from include.features.as_of import read_last_put
from include.features.build import build_features
from include.features.offline_files import OfflineStore
from include.features.origins import origins_document
from include.features.schema import COLUMNS, EVENT_TIME, NAMES
from include.features.store import latest, read_offline
from include.garmin.document import Held, Source, SourceError, nothing_held
from include.garmin.open import open_source
from include.garmin.planning import Batch
from include.garmin.registry import Athlete
from include.ingest.batch import Task, ingest_batch
from include.ingest.places import Places
from include.ingest.report import Report
from include.ingest.write_features import Written, write_features
from include.lake import origins_key, staged_features_prefix
from plugins.operators.denied import is_denied
from tests.localaws.conftest import LocalAws, allow
from tests.localaws.test_featurestore import create

pytestmark = pytest.mark.timeout(300)

GROUP, SPEC, RUN = "athlete-day-v1", "synthetic:athletes=3,years=1", "run-1"
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
FIRST_DAY = date(2026, 1, 15)
FEATURES = [{"FeatureName": name, "FeatureType": "Fractional" if name in NAMES else "String"} for name in COLUMNS]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("localaws"), "--offline-delay-s", "0.5")
    server.start()
    yield server
    server.stop()


class LastWeeks:
    """Synthetic athletes of whom only the last weeks are there."""

    def __init__(self) -> None:
        self._source = open_source(SPEC, NOON.date())

    def athletes(self) -> list[str]:
        return self._source.athletes()

    def fetch(self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held) -> Any:
        return self._source.fetch(athlete_id, max(start or FIRST_DAY, FIRST_DAY), end, held)


@dataclass
class World:
    """A bucket and a feature group of their own, and what the synthetic athletes are known by."""

    aws: LocalAws
    places: Places
    store: OfflineStore
    folder: Path

    @property
    def source(self) -> "LastWeeks":
        return LastWeeks()

    def ingest(self, *athletes: str, number: int = 0, run: str = RUN, **batch: Any) -> Report:
        wanted = Batch(tuple(Athlete(name) for name in athletes), (None, None))
        wanted = replace(wanted, **batch)
        task = Task(run, number, NOON)
        return ingest_batch(self.places, wanted, wanted.file_sources(SPEC), lambda _: self.source, task)

    def write(self, run: str = RUN, places: Places | None = None) -> Written:
        return write_features(places or self.places, self.store, run, lambda: datetime.now(UTC))

    def keys(self, prefix: str) -> list[str]:
        found = self.places.s3.get_paginator("list_objects_v2").paginate(Bucket=self.places.bucket, Prefix=prefix)
        return [item["Key"] for page in found for item in page.get("Contents", [])]

    def offline(self) -> pd.DataFrame:
        """All rows that the offline store's files hold now."""
        paths = []
        for number, key in enumerate(self.keys(self.store.prefix)):
            paths.append(self.folder / f"{number}.parquet")
            body = self.places.s3.get_object(Bucket=self.places.bucket, Key=key)["Body"].read()
            paths[-1].write_bytes(body)
        return read_offline(paths, datetime.now(UTC) + timedelta(days=365))

    def tables(self, athlete: str) -> Tables:
        return read_tables(self.places.s3, self.places.bucket, athlete)

    def wanted(self, *athletes: str) -> pd.DataFrame:
        """The rows that the tables in the bucket give, but for each athlete's newest."""
        return pd.concat([build_features(self.tables(name)).iloc[:-1] for name in athletes], ignore_index=True)

    def newest_online(self, athlete: str) -> str | None:
        record = latest(self.places.runtime, self.places.feature_group, athlete)
        return record and record[EVENT_TIME]


@pytest.fixture
def world(aws: LocalAws, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    name = f"w{abs(hash(request.node.nodeid)) % 10**10}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    group = create(aws, f"{name}-{GROUP}", bucket=name, features=FEATURES)
    runtime = aws.client("sagemaker-featurestore-runtime")
    places = Places(s3, name, runtime, f"{name}-{GROUP}")
    return World(aws, places, OfflineStore.from_description(group), tmp_path)


class Limited:
    """An S3 client that takes so many files of the offline store and no more."""

    def __init__(self, s3: Any, puts: int) -> None:
        self._s3, self._left = s3, puts

    def put_object(self, **request: Any) -> Any:
        if request["Key"].startswith("feature-store/"):
            self._left -= 1
            if self._left < 0:
                raise OSError("the worker is gone")
        return self._s3.put_object(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def test_all_of_the_history_is_offline_and_the_newest_row_online(world: World) -> None:
    one, two = world.source.athletes()[:2]
    assert world.ingest(one, two).done == [one, two]
    assert world.newest_online(one) is None, "nothing is put before the history of all batches is there"
    written = world.write()
    wanted = world.wanted(one, two)
    assert written.rows == len(wanted) + 2
    found = world.offline()
    found = found[found.duplicated("athlete_id", keep="last") | found[EVENT_TIME].isin(wanted[EVENT_TIME])]
    merged = wanted.merge(found, on=["athlete_id", EVENT_TIME], suffixes=("", "_found"))
    assert len(merged) == len(wanted)
    pd.testing.assert_frame_equal(
        merged[[f"{name}_found" for name in NAMES]].set_axis(list(NAMES), axis="columns"), merged[list(NAMES)]
    )
    assert world.newest_online(two) == build_features(world.tables(two))[EVENT_TIME].iloc[-1]
    assert world.keys(staged_features_prefix(RUN)) == []
    assert read_last_put(world.places.s3, world.places.bucket, world.places.feature_group) == written.put_at


def test_a_write_that_is_killed_puts_no_newest_row_and_is_done_again_from_what_is_staged(world: World) -> None:
    one, two = world.source.athletes()[:2]
    world.ingest(one, number=0)
    world.ingest(two, number=1)
    for puts in (0, 20):
        with pytest.raises(OSError, match="the worker is gone"):
            world.write(places=replace(world.places, s3=Limited(world.places.s3, puts)))
    assert (world.newest_online(one), world.newest_online(two)) == (None, None)
    assert len(world.keys(staged_features_prefix(RUN))) == 2
    assert world.write().report.done == [one, two]
    newest = [build_features(world.tables(name))[EVENT_TIME].iloc[-1] for name in (one, two)]
    assert [world.newest_online(one), world.newest_online(two)] == newest
    rows = world.offline()
    history = pd.concat(
        [rows[(rows["athlete_id"] == n) & (rows[EVENT_TIME] < d)] for n, d in zip((one, two), newest, strict=True)]
    )
    pd.testing.assert_frame_equal(history.reset_index(drop=True), world.wanted(one, two))


def test_a_run_whose_write_never_ended_is_made_up_for_by_the_next_one(world: World) -> None:
    one = world.source.athletes()[0]
    world.ingest(one)
    with pytest.raises(OSError, match="the worker is gone"):
        world.write(places=replace(world.places, s3=Limited(world.places.s3, 20)))
    last_days = (NOON.date() - timedelta(days=3), NOON.date())
    assert world.ingest(one, run="run-2", days=last_days).done == [one]
    world.write("run-2")
    assert set(world.wanted(one)[EVENT_TIME]) <= set(world.offline()[EVENT_TIME])
    before = len(world.keys(world.store.prefix))
    world.ingest(one, run="run-3", days=last_days)
    assert world.write("run-3").rows < 8
    assert len(world.keys(world.store.prefix)) - before < 8, "a daily run writes the days that it read again"


def test_batches_that_were_not_staged_in_time_come_with_the_next_write_of_the_run(world: World) -> None:
    one, two = world.source.athletes()[:2]
    world.ingest(one, number=0)
    assert world.write().report.done == [one]
    world.ingest(two, number=1)
    assert world.write().report.done == [two]
    assert set(world.offline()["athlete_id"]) == {one, two}
    assert world.write().put_at is None, "nothing is staged any more"


def test_what_iam_denies_fails_by_the_key_and_no_newest_row_is_put(world: World) -> None:
    one = world.source.athletes()[0]
    world.ingest(one)
    role = f"reader-{world.places.bucket}"
    world.aws.make_role(role, "airflow-env.amazonaws.com", allow(["s3:ListBucket", "s3:GetObject"], "*"))
    refusal = r"not authorized to perform: s3:PutObject on resource: .*feature-store/"
    with pytest.raises(ClientError, match=refusal) as caught:
        world.write(places=replace(world.places, s3=under_role(world.aws, role)))
    assert is_denied(caught.value)
    assert world.newest_online(one) is None


def under_role(aws: LocalAws, role: str) -> Any:
    """An S3 client with the credentials that MWAA's container has of a role."""
    address = f"{aws.url}/_localaws/credentials/airflow-env.amazonaws.com/{role}"
    given = httpx.get(address).raise_for_status().json()
    return boto3.client(
        "s3",
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )


def test_an_athlete_whose_files_cannot_be_read_goes_on_with_what_raw_holds(world: World) -> None:
    one, two = world.source.athletes()[:2]
    world.ingest(one, two)
    batch = Batch((Athlete(one), Athlete(two, "folder:/broken")), (None, None))

    def opened(spec: str) -> Source:
        if spec == "folder:/broken":
            raise SourceError("the file is broken")
        return world.source

    report = ingest_batch(world.places, batch, batch.file_sources(SPEC), opened, Task(RUN, 0, NOON))
    assert [(failure.athlete_id, failure.step) for failure in report.failures] == [(two, "fetch")]
    assert report.done == [one, two]
    assert world.write().report.done == [one, two]


def test_tables_that_were_handed_on_in_memory_are_those_in_the_bucket(world: World) -> None:
    """The days of a later run are checked and built with what the bucket holds, those of a first one with what was made."""
    one = world.source.athletes()[0]
    world.ingest(one)
    first = {
        key: world.places.s3.get_object(Bucket=world.places.bucket, Key=key)["ETag"] for key in world.keys("curated/")
    }
    world.write()
    rows = world.offline()
    world.ingest(one, run="again", days=(date(2026, 2, 20), None))
    assert first == {
        key: world.places.s3.get_object(Bucket=world.places.bucket, Key=key)["ETag"] for key in world.keys("curated/")
    }
    world.write("again")
    again = world.offline()
    both = rows.merge(again, on=["athlete_id", EVENT_TIME], suffixes=("", "_again"))
    for name in NAMES:
        pd.testing.assert_series_equal(both[name], both[f"{name}_again"], check_names=False)


def test_the_days_that_own_forecasts_count_from_are_written_whole_by_every_ingest(world: World) -> None:
    one = world.source.athletes()[0]
    world.ingest(one)
    key = origins_key(one)
    written = world.places.s3.get_object(Bucket=world.places.bucket, Key=key)["Body"].read()
    assert json.loads(written) == origins_document(build_features(world.tables(one)))
    assert json.loads(written)["days"]
    assert b": " not in written and b", " not in written
    world.places.s3.delete_object(Bucket=world.places.bucket, Key=key)
    world.ingest(one, run="run-2", days=(NOON.date() - timedelta(days=3), NOON.date()))
    again = world.places.s3.get_object(Bucket=world.places.bucket, Key=key)["Body"].read()
    assert again == written, "a daily run writes the years before its days too"
