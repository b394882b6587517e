"""A release: the same sources give the same bytes, it holds what runs, and it is uploaded once."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include import lake
from include.deploy.release import ROOT, Release, build_release, current_release, publish

BUCKET = "lake-1"


@pytest.fixture(scope="module")
def built() -> Release:
    return build_release()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The sources of a release elsewhere, without git."""
    for folder in ("dags", "include", "plugins", "infra/stacks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    return tmp_path


def test_another_checkout_of_the_same_sources_gives_the_same_bytes(built: Release, copied: Path) -> None:
    for path in copied.rglob("*"):
        os.utime(path, (1e9, 1e9))
        if path.is_file():
            path.chmod(0o600)
    again = build_release(copied)
    assert again.version == built.version
    assert again.files == built.files
    assert again.sources == "", "no git checkout, no commit"


@pytest.mark.parametrize(
    "changed",
    [
        "dags/ingest.py",
        "include/jobs/train.py",
        "include/serving/page/page.css",
        "infra/stacks/ml.yaml",
        "plugins/operators/aws.py",
        "requirements.txt",
    ],
)
def test_any_changed_source_is_a_new_version(built: Release, copied: Path, changed: str) -> None:
    with (copied / changed).open("a") as file:
        file.write("\n")
    assert build_release(copied).version != built.version


def test_jobs_are_a_tree_of_their_own(built: Release) -> None:
    jobs = {name.removeprefix("jobs/") for name in built.files if name.startswith("jobs/")}
    assert {"include/__init__.py", "include/jobs/train.py", "include/features/schema.py"} <= jobs
    assert not any("pycache" in name or name.startswith(("include/serving", "include/garmin")) for name in jobs)


def test_lambda_handlers_import_from_the_zip_alone(built: Release, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(built.files["lambda.zip"])) as archive:
        archive.extractall(tmp_path)
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())
    code = (
        "import sys, json\n"
        "from include.serving.api import handler\n"
        "from include.serving.endpoint_control import start, stop\n"
        "assert handler({'resource': '/', 'httpMethod': 'GET'}, None)['statusCode'] == 200\n"
        "spec = json.loads(handler({'resource': '/openapi.json', 'httpMethod': 'GET'}, None)['body'])\n"
        "assert '/athletes/{id}/forecast' in spec['paths']\n"
        "heavy = {'numpy', 'pandas', 'yaml', 'pydantic', 'airflow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_version_is_uploaded_once(built: Release, s3: Any) -> None:
    first = publish(s3, BUCKET, built)
    keys = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert {f"{built.prefix}{name}" for name in built.files} < keys
    assert first.uploaded == len(built.files) + 1
    assert publish(s3, BUCKET, built).uploaded == 0
    assert current_release(s3, BUCKET) == built.version
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=lake.RELEASE_KEY)["Body"].read())["version"] == built.version


def test_an_upload_that_broke_off_is_done_again(built: Release, s3: Any) -> None:
    publish(s3, BUCKET, built)
    s3.delete_object(Bucket=BUCKET, Key=f"{built.prefix}release-manifest.json")
    assert publish(s3, BUCKET, built).uploaded == len(built.files) + 1


def test_before_the_first_release_there_is_none(s3: Any) -> None:
    assert current_release(s3, BUCKET) is None
