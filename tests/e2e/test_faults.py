"""kill -9 in mid-run: the run completes after the restart, and no table holds a duplicate or a hole."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from include.curate import curate, read_tables
from include.curate.tables import KEYS
from include.features.build import build_features
from include.features.schema import EVENT_TIME
from include.features.store import latest, read_offline
from include.garmin.document import StoredDocument
from include.garmin.open import open_source
from include.quality import validate
from include.settings import settings
from tests.e2e.conftest import SOURCE, Laptop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def expect_whole(laptop: Laptop, download: Path) -> None:
    """Compare what the bucket and Feature Store hold with what the pure functions make of the source itself."""
    now = datetime.now(UTC)
    source = open_source(SOURCE, now.date())
    s3, runtime = laptop.client("s3"), laptop.client("sagemaker-featurestore-runtime")
    offline = read_offline(_offline_files(laptop, download), now)
    for athlete in source.athletes():
        documents = [
            StoredDocument(d.kind, d.last_day, d.name, d.body, athlete, now, "")
            for d in source.fetch(athlete, None, None)
        ]
        wanted = validate({athlete: curate(documents)}).verdicts[athlete].clean
        held = read_tables(s3, settings().bucket, athlete)
        for table, frame in held.frames().items():
            keys = list(KEYS[table])
            assert not frame.duplicated(keys).any(), f"{table} of {athlete} holds duplicates"
            pd.testing.assert_frame_equal(frame[keys], wanted.frames()[table][keys], obj=f"{table} of {athlete}")
        rows = build_features(wanted)
        stored = offline[offline["athlete_id"] == athlete]
        assert list(stored[EVENT_TIME]) == list(rows[EVENT_TIME]), f"feature rows of {athlete}"
        online = latest(runtime, settings().feature_group, athlete)
        assert online is not None
        assert online[EVENT_TIME] == rows[EVENT_TIME].iloc[-1]


def _offline_files(laptop: Laptop, folder: Path) -> list[Path]:
    group = laptop.client("sagemaker").describe_feature_group(FeatureGroupName=settings().feature_group)
    uri = group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    s3, prefix = laptop.client("s3"), uri.removeprefix(f"s3://{settings().bucket}/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings().bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".parquet")]
    folder.mkdir()
    paths = [folder / f"{i}.parquet" for i in range(len(keys))]
    for key, path in zip(keys, paths, strict=True):
        path.write_bytes(s3.get_object(Bucket=settings().bucket, Key=key)["Body"].read())
    return paths


def test_a_killed_scheduler_and_a_second_run_that_resumes(laptop: Laptop, tmp_path: Path) -> None:
    laptop.wait_until(lambda: laptop.runs_task("garmin_ingest", "ingest_batch"), "an ingest task")
    laptop.kill("scheduler")
    laptop.wait_for("scheduler runs again")
    laptop.wait_for("Ready after", seconds=600)
    expect_whole(laptop, tmp_path / "offline")
    assert laptop.stop() == []
    again = Laptop(laptop.state)
    try:
        again.wait_for("Ready after", seconds=120)
        assert "nothing is built anew" in again.output
        assert "model_build" not in again.output
    finally:
        again.stop()


@pytest.mark.parametrize("task", ["ingest_batch", "write_features"])
def test_a_killed_local_aws(laptop: Laptop, tmp_path: Path, task: str) -> None:
    """Also in the middle of the bulk write: what is staged is written again as a whole."""
    laptop.wait_until(lambda: laptop.runs_task("garmin_ingest", task), f"{task} that writes")
    laptop.kill("local-aws")
    laptop.wait_for("local-aws runs again")
    laptop.wait_for("Ready after", seconds=600)
    expect_whole(laptop, tmp_path / "offline")
    assert laptop.stop() == []


def test_killed_jobs(laptop: Laptop, tmp_path: Path) -> None:
    for module in ("include.jobs.preprocess", "include.jobs.train"):
        laptop.wait_until(lambda module=module: laptop.job(module), f"a job with {module}").kill()
    laptop.wait_for("Ready after", seconds=600)
    sagemaker = laptop.client("sagemaker")
    training = [job["TrainingJobStatus"] for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    processing = [
        job["ProcessingJobStatus"]
        for job in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
        if "preprocess" in job["ProcessingJobName"]
    ]
    assert sorted(training) == ["Completed", "Failed"], "the killed job failed, the next try had a job of its own"
    assert sorted(processing) == ["Completed", "Failed"]
    expect_whole(laptop, tmp_path / "offline")
    assert laptop.stop() == []
