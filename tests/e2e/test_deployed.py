"""One deployment on files good and bad, and what its user may ask of it next."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.garmin.open import open_source
from include.serving.deployment import SERVING_AGE_S, SETTINGS_AGE_S
from include.serving.forecast import RECORD_AGE_S
from include.settings import settings
from infra.deployment.addresses import Urls, find_addresses
from infra.deployment.forecasts import Answer, ask, faults
from tests.e2e.conftest import Laptop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

GOOD = ("ann", "bea", "cleo")
API_REMEMBERS_S = SETTINGS_AGE_S + RECORD_AGE_S
"""How long at most the API answers from what it has read."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    folder = tmp_path_factory.mktemp("athletes")
    write_athletes(folder)
    running = Laptop(tmp_path_factory.mktemp("state") / "state", f"folder:{folder}")
    try:
        running.wait_for("Ready after", seconds=600)
        yield running
    finally:
        running.terminate()
    running.expect_no_denied_calls()


def write_athletes(folder: Path) -> None:
    """Three whole athletes, and one each that is corrupt, no JSON at all, empty, and without VO2max."""
    source = open_source("synthetic:athletes=4,years=2,seed=7", date.today())
    items = [activities(source, athlete) for athlete in source.athletes()]
    bodies = {name: json.dumps(some).encode() for name, some in zip(GOOD, items, strict=False)}
    bodies["corrupt"] = bodies["ann"][:5000]
    bodies["zipped"] = b"PK\x03\x04" + bytes(100)
    bodies["empty"] = b"[]"
    bodies["unmeasured"] = json.dumps(
        [{k: v for k, v in item.items() if k != "vO2MaxValue"} for item in items[3]]
    ).encode()
    for name, body in bodies.items():
        (folder / name).mkdir()
        (folder / name / "activities.json").write_bytes(body)


def activities(source: Any, athlete: str) -> list[dict[str, Any]]:
    pages = [document for document in source.fetch(athlete, None, None) if document.kind == "activity_list"]
    return [item for page in pages for item in json.loads(page.body)]


def forecast(deployed: Laptop, athlete: str) -> Answer:
    found = find_addresses(deployed.client, settings(), Urls("", f"http://127.0.0.1:{deployed.port_aws}"))
    assert found is not None
    return ask(found, athlete)


def objects(deployed: Laptop, prefix: str) -> dict[str, bytes]:
    s3 = deployed.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings().bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=settings().bucket, Key=key)["Body"].read() for key in keys}


def test_bad_files_are_told_and_the_other_athletes_have_their_forecasts(deployed: Laptop) -> None:
    for name in ("corrupt", "zipped"):
        assert f"{name} in fetch: SourceError" in deployed.output
    for name in GOOD:
        answer = forecast(deployed, name)
        assert answer.status == 200, answer.document
        assert faults(answer, has_readings=True) == []


def test_the_task_that_registered_the_model_opens_its_report(deployed: Laptop) -> None:
    report = httpx.get(deployed.links("model_build", "register")["Forecast report"])
    assert report.status_code == 200
    assert report.headers["content-type"] == "text/html"
    assert "VO2max forecast, 1–42 days" in report.text
    assert report.text.count("data:image/png;base64,") == 6


@pytest.mark.parametrize("name", ["corrupt", "zipped", "empty", "unmeasured", "nobody"])
def test_an_athlete_without_a_reading_is_told_why_there_is_no_forecast(deployed: Laptop, name: str) -> None:
    answer = forecast(deployed, name)
    assert answer.status in (404, 409)
    assert name in answer.document["detail"]


def test_an_unknown_athlete_fails_by_name_and_the_other_goes_on(deployed: Laptop) -> None:
    state, log = deployed.run_dag("garmin_ingest", athletes=["nobody", "ann"])
    assert state == "failed"
    assert "nobody in fetch: UnknownAthlete" in log
    assert "ann in fetch" not in log


def test_an_export_that_is_none_fails_with_the_reason(deployed: Laptop, tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(b"this is no zip")
    state, log = deployed.run_dag("garmin_backfill", source=f"export:{path}")
    assert state == "failed"
    assert "mine.zip" in log


def test_tables_deleted_and_made_anew_from_raw_are_the_same_to_the_byte(deployed: Laptop) -> None:
    before = objects(deployed, "curated/")
    assert {key.split("/")[1] for key in before} == {"activities", "vo2max"}
    s3 = deployed.client("s3")
    for key in before:
        s3.delete_object(Bucket=settings().bucket, Key=key)
    state, log = deployed.run_dag("garmin_backfill", source="raw")
    assert state == "failed", "those of whom raw holds nothing are named"
    named = re.findall(r"(\w+) in (\w+): (\w+)", log)
    assert {name for name in named if name[0] in GOOD} == set(), log
    assert ("empty", "features", "NothingUnderstood") in named
    assert objects(deployed, "curated/") == before


@contextmanager
def denied(deployed: Laptop, role: str, action: str, resource: str = "*") -> Iterator[None]:
    """Take an action away from a role for a while, as an administrator who narrows its policies too far does."""
    iam, name = deployed.client("iam"), f"{settings().project}-{role}"
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    deployed.provoked.add((name, action))
    iam.put_role_policy(RoleName=name, PolicyName="taken-away", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="taken-away")


def test_a_denied_bulk_write_fails_once_by_its_key_and_the_next_run_makes_up_for_it(deployed: Laptop) -> None:
    files = f"arn:aws:s3:::{settings().bucket}/feature-store/*"
    before = objects(deployed, "feature-store/")
    with denied(deployed, "tasks", "s3:PutObject", files):
        state, log = deployed.run_dag("garmin_ingest", athletes=["ann"])
    assert state == "failed"
    failed = [(task.task_id, task.try_number) for task in deployed.failed_tasks("garmin_ingest")]
    assert sorted(failed) == [("verdict", 1), ("write_features", 1)]
    assert "is not authorized to perform: s3:PutObject on resource: " in log
    assert objects(deployed, "feature-store/") == before
    assert objects(deployed, "state/features/staged/"), "the rows wait for whoever clears the task"

    state, log = deployed.run_dag("garmin_ingest", athletes=["ann"])
    assert state == "success", log
    assert len(objects(deployed, "feature-store/")) > len(before)


def served_version(deployed: Laptop) -> str | None:
    """The version of the model behind a forecast; None while there is no answer."""
    return (forecast(deployed, "ann").document.get("model") or {}).get("version")


def test_a_role_without_a_needed_action_fails_the_task_once_by_name_and_leaves_nothing_behind(
    deployed: Laptop,
) -> None:
    def of_builds() -> list[str]:
        """Whatever a build makes: objects, uploads that were begun, jobs and model packages."""
        keys = [key for prefix in ("datasets/", "models/", "reports/") for key in objects(deployed, prefix)]
        uploads = deployed.client("s3").list_multipart_uploads(Bucket=settings().bucket).get("Uploads", [])
        sagemaker = deployed.client("sagemaker")
        jobs = sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
        trainings = sagemaker.list_training_jobs()["TrainingJobSummaries"]
        packages = sagemaker.list_model_packages(ModelPackageGroupName=settings().model_package_group)
        return [
            *keys,
            *(upload["Key"] for upload in uploads),
            *(job["ProcessingJobName"] for job in jobs),
            *(job["TrainingJobName"] for job in trainings),
            *(package["ModelPackageArn"] for package in packages["ModelPackageSummaryList"]),
        ]

    before, served, action = of_builds(), served_version(deployed), "sagemaker:CreateProcessingJob"
    assert before and served
    with denied(deployed, "tasks", action):
        state, log = deployed.run_dag("model_build")
    assert state == "failed"
    assert [(task.task_id, task.try_number) for task in deployed.failed_tasks("model_build")] == [("preprocess", 1)]
    assert f"role/{settings().project}-tasks/" in log
    assert f"is not authorized to perform: {action} on resource: " in log
    assert of_builds() == before
    assert served_version(deployed) == served

    state, log = deployed.run_dag("model_build")
    assert state == "success", log
    assert set(before) < set(of_builds())
    deployed.wait_until(lambda: served_version(deployed) not in (None, served), "a forecast of the new model")


def test_a_model_of_other_features_is_replaced_after_the_next_ingest(deployed: Laptop) -> None:
    sagemaker = deployed.client("sagemaker")

    def newest() -> dict[str, Any]:
        found = sagemaker.list_model_packages(
            ModelPackageGroupName=settings().model_package_group, SortBy="CreationTime", SortOrder="Descending"
        )["ModelPackageSummaryList"][0]
        return dict(sagemaker.describe_model_package(ModelPackageName=found["ModelPackageArn"]))

    old, served = newest(), served_version(deployed)
    other = {**old["CustomerMetadataProperties"], "feature_group": "athletes-v0"}
    sagemaker.update_model_package(ModelPackageArn=old["ModelPackageArn"], CustomerMetadataProperties=other)
    state, log = deployed.run_dag("garmin_ingest", athletes=["ann"])
    assert state == "success", log
    deployed.wait_until(lambda: newest()["ModelPackageVersion"] == old["ModelPackageVersion"] + 1, "a new package")
    assert newest()["CustomerMetadataProperties"]["feature_group"] == settings().feature_group
    deployed.wait_until(lambda: served_version(deployed) not in (None, served), "a new model that answers")


def test_a_forgotten_athlete_has_no_forecast_and_the_others_keep_theirs(deployed: Laptop) -> None:
    others = [name for name in GOOD if name != "bea"]
    # Each worker of the API remembers for so long what it knew before the last new model and the last new features.
    time.sleep(RECORD_AGE_S + SERVING_AGE_S)
    assert forecast(deployed, "bea").status == 200
    before = {name: forecast(deployed, name).document for name in others}

    done = deployed.deploy("forget", "--athlete", "bea", "--yes")

    assert done.returncode == 0, done.stderr
    deployed.wait_until(lambda: forecast(deployed, "bea").status == 404, "404 for bea", API_REMEMBERS_S)
    for name in others:
        answer = forecast(deployed, name)
        assert (answer.status, answer.document) == (200, before[name])
    assert [key for key in objects(deployed, "") if "=bea/" in key] == []
    again = deployed.deploy("forget", "--athlete", "bea", "--yes")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "nothing left of bea"), again.stderr


def test_it_ends_without_leaving_a_process(deployed: Laptop) -> None:
    assert deployed.stop() == []
