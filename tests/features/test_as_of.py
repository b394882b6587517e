"""The moment of a dataset, and datasets made of an offline store that lags behind, as AWS's does."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from include.features.as_of import dataset_moment, is_complete, note_last_put, read_last_put
from include.features.build import build_features
from include.features.schema import COLUMNS, NAMES
from include.features.store import to_record
from include.jobs.preprocess import preprocess
from tests.features.conftest import random_frames
from tests.localaws.conftest import LocalAws
from tests.localaws.test_featurestore import create

pytestmark = pytest.mark.timeout(120)

DELAY_S = 3.0
EIGHT = datetime(2026, 3, 1, 8, tzinfo=UTC)
NINE, TEN = EIGHT + timedelta(hours=1), EIGHT + timedelta(hours=2)


def test_a_build_takes_the_moment_of_the_last_run_that_announced_itself() -> None:
    assert dataset_moment([EIGHT.isoformat(), NINE.isoformat()], TEN, TEN) == NINE


def test_by_hand_it_takes_that_of_the_last_run_that_ended_before() -> None:
    assert dataset_moment([], EIGHT, NINE) == EIGHT
    assert dataset_moment([], None, NINE) == NINE
    assert dataset_moment([], TEN, NINE) == NINE, "a run that ended after the build was asked for is not in it"


def test_the_offline_store_has_all_only_when_its_lag_has_passed_since_the_last_put() -> None:
    assert not is_complete(EIGHT, 900, EIGHT + timedelta(seconds=899))
    assert is_complete(EIGHT, 900, EIGHT + timedelta(seconds=900))


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    options = ("--offline-delay-s", str(DELAY_S), "--write-units-per-s", "100000")
    server = LocalAws(tmp_path_factory.mktemp("localaws"), *options)
    server.start()
    server.client("s3").create_bucket(Bucket="lake")
    yield server
    server.stop()


def test_the_last_put_is_kept_for_its_feature_group(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    assert read_last_put(s3, "lake", "v1") is None
    note_last_put(s3, "lake", "v1", EIGHT)
    assert read_last_put(s3, "lake", "v1") == EIGHT
    assert read_last_put(s3, "lake", "v2") is None


class OfflineStore:
    """A feature group of local AWS, and what a job is given of its offline store."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        definitions = [
            {"FeatureName": name, "FeatureType": "Fractional" if name in NAMES else "String"} for name in COLUMNS
        ]
        self.group = create(aws, "days-v1", features=definitions)
        self.runtime = aws.client("sagemaker-featurestore-runtime", config=Config(max_pool_connections=8))
        self.s3, self.folder = aws.client("s3"), folder

    def put(self, athlete: str, **values: Any) -> datetime:
        """Put an athlete's history; the moment when all of it was put."""
        rows = build_features(random_frames(seed=len(athlete))).assign(athlete_id=athlete, **values)
        for row in rows.to_dict("records"):
            record = to_record({str(name): value for name, value in row.items()})
            self.runtime.put_record(FeatureGroupName="days-v1", Record=record, TargetStores=["OfflineStore"])
        return datetime.now(UTC)

    def objects(self) -> list[dict[str, Any]]:
        uri = self.group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket="lake", Prefix=uri.removeprefix("s3://lake/") + "/"
        )
        return [item for page in pages for item in page.get("Contents", [])]

    def dataset(self, name: str, as_of: datetime) -> dict[str, bytes]:
        """What the preprocess job writes of what the offline store holds now."""
        inputs, output = self.folder / name / "input", self.folder / name / "output"
        for number, item in enumerate(self.objects()):
            path = inputs / f"{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.s3.get_object(Bucket="lake", Key=item["Key"])["Body"].read())
        preprocess(inputs, output, as_of, "v1")
        return {f"{path.relative_to(output)}": path.read_bytes() for path in output.rglob("*.*")}


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_datasets_as_of_one_moment_are_the_same_to_the_byte_though_rows_arrive_late(
    aws: LocalAws, tmp_path: Path
) -> None:
    store = OfflineStore(aws, tmp_path)
    for athlete in ("a", "bb", "ccc"):
        as_of = store.put(athlete)
    wait_until(store.objects)
    hasty = store.dataset("hasty", as_of)
    wait_until(lambda: is_complete(as_of, DELAY_S + 2, datetime.now(UTC)))
    first = store.dataset("first", as_of)
    later = store.put("ccc", load_7d=999.0)
    wait_until(lambda: is_complete(later, DELAY_S + 2, datetime.now(UTC)))
    second = store.dataset("second", as_of)
    assert {"train/part-0000.csv", "manifest.json"} <= first.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert hasty["train/part-0000.csv"] != first["train/part-0000.csv"], (
        "the first object to arrive is not all that was put"
    )
