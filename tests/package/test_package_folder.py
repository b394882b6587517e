"""A package in a folder: whole or not there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.deploy.release import current_release, publish
from infra.package import NoPackage, Package, read_package, write_package
from tests.package.conftest import ROOT

BUCKET = "lake-1"


@pytest.fixture
def target(package: Package, tmp_path: Path) -> Path:
    write_package(package, tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def test_what_is_written_is_what_is_read(package: Package, target: Path) -> None:
    assert read_package(target) == package


def test_the_manifest_says_what_it_is_and_what_is_in_it(package: Package, target: Path) -> None:
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["version"] == package.version
    assert (manifest["airflow_version"], manifest["python_version"]) == ("3.2.1", "3.12")
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == {
        name: len(body) for name, body in package.files.items()
    }


def test_what_was_packaged_is_what_is_published(target: Path, s3: Any) -> None:
    release = read_package(target).release
    publish(s3, BUCKET, release)
    assert current_release(s3, BUCKET) == release.version
    body = s3.get_object(Bucket=BUCKET, Key=f"{release.prefix}lambda.zip")["Body"].read()
    assert body == (target / "release/lambda.zip").read_bytes()


def test_an_older_package_is_replaced_whole(package: Package, target: Path) -> None:
    newer = replace(package, version="2", files={"mwaa/dags/dags": b"a file now", "stacks/new.yaml": b"{}"})
    write_package(newer, target)
    assert read_package(target) == newer
    assert sorted(path.name for path in target.rglob("*")) == [
        "dags",
        "dags",
        "manifest.json",
        "mwaa",
        "new.yaml",
        "stacks",
    ]
    write_package(package, target)
    assert read_package(target) == package


def test_files_that_did_not_change_are_left_alone(package: Package, target: Path) -> None:
    before = (target / "release/lambda.zip").stat().st_mtime_ns
    write_package(replace(package, files=package.files | {"stacks/data.yaml": b"{}"}), target)
    assert (target / "release/lambda.zip").stat().st_mtime_ns == before


@pytest.mark.parametrize("written", [0, 1, 100])
def test_a_run_that_is_killed_leaves_no_package_and_the_next_one_finishes_it(
    package: Package, target: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    newer = replace(package, version="2", files={name: body + b"\n" for name, body in package.files.items()})
    write, calls = Path.write_bytes, iter(range(1000))

    def write_some(path: Path, body: bytes) -> int:
        if next(calls) > written:
            raise KeyboardInterrupt
        return write(path, body)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write_some)
        with pytest.raises(KeyboardInterrupt):
            write_package(newer, target)
    with pytest.raises(NoPackage, match="was not finished: make it with `make package`"):
        read_package(target)
    write_package(newer, target)
    assert read_package(target) == newer


def test_a_link_in_the_folder_is_replaced_and_what_it_points_to_is_left_alone(
    package: Package, target: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("mine")
    (target / "stacks/data.yaml").unlink()
    (target / "stacks/data.yaml").symlink_to(outside)
    write_package(package, target)
    assert outside.read_text() == "mine"
    assert read_package(target) == package


def test_a_folder_of_something_else_is_never_written_to(package: Package, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NoPackage, match="holds other things than a package"):
        write_package(package, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(NoPackage, match="is a file: name a folder"):
        write_package(package, tmp_path / "thesis.txt")


def _change(target: Path) -> None:
    (target / "stacks/data.yaml").write_text("Resources: {}")


def _lose(target: Path) -> None:
    (target / "mwaa/dags/dags/ingest.py").unlink()


def _add(target: Path) -> None:
    (target / "mwaa/dags/dags/mine.py").touch()


def _garble(target: Path) -> None:
    (target / "manifest.json").write_text('{"version": 1')


def _outdate(target: Path) -> None:
    (target / "manifest.json").write_text('{"version": "1", "files": {}}')


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_change, "1 files in .* are not as packaged, the first is stacks/data.yaml"),
        (_lose, "not as packaged, the first is mwaa/dags/dags/ingest.py"),
        (_add, "not as packaged, the first is mwaa/dags/dags/mine.py"),
        (_garble, "is no manifest of a package"),
        (_outdate, "is no manifest of a package"),
    ],
)
def test_a_package_that_is_not_as_written_is_refused_in_a_line(target: Path, spoil: Any, reason: str) -> None:
    spoil(target)
    with pytest.raises(NoPackage, match=f"{reason}.*: make it with `make package`") as raised:
        read_package(target)
    assert "\n" not in str(raised.value)


def test_without_a_package_the_command_to_make_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoPackage, match=r"there is no package in .*: make it with `make package`"):
        read_package(tmp_path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.package", *arguments]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_the_command_writes_checks_and_explains_itself(package: Package, tmp_path: Path) -> None:
    written = run("--output", str(tmp_path / "dist"))
    assert (written.returncode, written.stderr) == (0, "")
    assert f"package {package.version}" in written.stdout
    assert run("--output", str(tmp_path / "dist"), "--check").returncode == 0
    _change(tmp_path / "dist")
    spoilt = run("--output", str(tmp_path / "dist"), "--check")
    assert spoilt.returncode == 1
    assert spoilt.stderr.startswith("package: 1 files in ")
    assert spoilt.stderr.count("\n") == 1
    assert "--output" in run("--help").stdout
