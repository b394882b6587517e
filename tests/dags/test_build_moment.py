"""model_build: which moment a dataset has, and how long the build waits for the offline store."""

import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dags import build
from include.lake import LAST_PUT_KEY, RELEASE_KEY
from include.settings import settings

ASKED = datetime(2026, 3, 1, 9, tzinfo=UTC)
LAST_PUT = ASKED - timedelta(hours=3)


class S3:
    """The two documents that a plan reads."""

    class exceptions:
        NoSuchKey = KeyError

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {RELEASE_KEY: {"version": "0123456789abcdef"}}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(json.dumps(self.documents[Key]).encode())}


class SageMaker:
    def describe_feature_group(self, FeatureGroupName: str) -> dict[str, Any]:
        return {"OfflineStoreConfig": {"S3StorageConfig": {"ResolvedOutputS3Uri": f"s3://b/{FeatureGroupName}/data"}}}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> S3:
    clients = {"s3": S3(), "sagemaker": SageMaker()}
    monkeypatch.setattr("plugins.operators.aws.client", clients.__getitem__)
    monkeypatch.setattr("plugins.operators.packages.was_built_since", lambda *_: False)
    return clients["s3"]  # type: ignore[return-value]


def planned(run_type: str, *put_at: datetime) -> dict[str, str]:
    events = [SimpleNamespace(extra={"put_at": moment.isoformat()}) for moment in put_at]
    run = SimpleNamespace(run_type=run_type, run_after=ASKED)
    return dict(build.plan.function(dag_run=run, triggering_asset_events={"features": events} if events else None))


def test_a_build_after_an_ingest_has_the_moment_of_its_last_put(s3: S3) -> None:
    assert planned("asset_triggered", LAST_PUT, LAST_PUT - timedelta(days=1))["as_of"] == LAST_PUT.isoformat()


def test_a_build_by_hand_has_the_moment_of_the_last_features_run(s3: S3) -> None:
    assert planned("manual")["as_of"] == ASKED.isoformat(), "no features run has ended yet"
    s3.documents[LAST_PUT_KEY] = {"put_at": LAST_PUT.isoformat(), "feature_group": settings().feature_group}
    assert planned("manual")["as_of"] == LAST_PUT.isoformat()


@pytest.mark.parametrize(("age_s", "is_over"), [(0, False), (890, False), (910, True)])
def test_it_waits_for_the_offline_store_by_the_clock(age_s: int, is_over: bool) -> None:
    as_of = datetime.now(UTC) - timedelta(seconds=age_s)
    assert build.wait_for_offline_store.function({"as_of": as_of.isoformat()}) is is_over
