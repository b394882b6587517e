"""The clients that tasks use, against a local AWS that throttles as AWS does."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.features.schema import COLUMNS, NAMES
from include.features.store import latest, put_row
from plugins.operators.aws import client
from tests.localaws.conftest import LocalAws
from tests.localaws.test_featurestore import create, offline_rows

pytestmark = pytest.mark.timeout(120)
DAYS = 150


@pytest.fixture
def throttling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """A local AWS that lets an athlete have 100 write units a second."""
    server = LocalAws(tmp_path, "--write-units-per-s", "100", "--offline-delay-s", "0.5")
    server.start()
    values = {"AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    server.client("s3").create_bucket(Bucket="lake")
    yield server
    server.stop()


def test_puts_that_exceed_an_athletes_write_units_are_slowed_down_and_none_is_lost(throttling: LocalAws) -> None:
    features = [{"FeatureName": name, "FeatureType": "Fractional" if name in NAMES else "String"} for name in COLUMNS]
    group = create(throttling, "history-v1", features=features)
    days = [f"{date(2025, 1, 1) + timedelta(n)}T00:00:00Z" for n in range(DAYS)]
    runtime, values = client("sagemaker-featurestore-runtime"), dict.fromkeys(NAMES, 1.5)
    for day in days:
        put_row(runtime, "history-v1", {"athlete_id": "ann", "event_time": day, "sport": "running", **values})
    assert sorted(row["event_time"] for row in offline_rows(throttling, group, DAYS)) == days
    assert (latest(runtime, "history-v1", "ann") or {})["event_time"] == days[-1]


def test_only_feature_store_is_slowed_down_by_its_client() -> None:
    modes = {name: client(name).meta.config.retries for name in ("sagemaker-featurestore-runtime", "s3")}
    assert modes["sagemaker-featurestore-runtime"]["mode"] == "adaptive"
    assert (modes["s3"] or {}).get("mode") != "adaptive"
