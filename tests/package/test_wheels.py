"""Wheels that travel with the package, for an MWAA environment without the internet."""

import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.package import Package
from infra.package.requirements import OPTS_OUT
from infra.package.wheels import NoWheels, download_wheels, locked, with_wheels
from tests.package.conftest import ROOT

LOCK = ROOT / "locks/airflow.txt"
UV = shutil.which("uv") or str(ROOT / ".venvs/uv/bin/uv")
WHEELS = {"b-1-py3-none-any.whl": b"b", "a-1-py3-none-any.whl": b"a"}


def test_the_wheels_are_where_pip_looks_for_them(package: Package) -> None:
    offline = with_wheels(package, WHEELS)
    assert offline.plugins is not None
    with zipfile.ZipFile(io.BytesIO(offline.plugins)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == WHEELS
    lines = offline.requirements.decode().splitlines()
    assert lines[:2] == ["--no-index", "--find-links /usr/local/airflow/plugins"]
    assert "\n".join(lines[2:]) + "\n" == package.requirements.decode()
    assert not OPTS_OUT.search(offline.requirements.decode()), "MWAA's constraints are in its image, and stay"
    assert (offline.version, offline.release) == (package.version, package.release)


def test_the_same_wheels_give_the_same_bytes(package: Package) -> None:
    assert with_wheels(package, WHEELS) == with_wheels(package, dict(reversed(WHEELS.items())))


def test_without_them_there_is_no_plugins_zip(package: Package) -> None:
    assert package.plugins is None


def test_a_wheel_that_was_not_locked_is_refused() -> None:
    lock = f"a==1 --hash=sha256:{hashlib.sha256(b'a').hexdigest()}\n"
    assert locked({"a.whl": b"a"}, lock) == {"a.whl": b"a"}
    with pytest.raises(NoWheels, match=r"^b.whl is not the file that was locked"):
        locked({"b.whl": b"b"}, lock)


def test_a_download_that_fails_is_said_in_a_line(package: Package, tmp_path: Path) -> None:
    (tmp_path / "uv").write_text(
        "#!/bin/sh\necho 'WARNING: x' >&2; echo 'ERROR: no network' >&2; echo trace >&2; exit 1\n"
    )
    (tmp_path / "uv").chmod(0o755)
    with pytest.raises(NoWheels, match=r"^the wheels could not be downloaded: ERROR: no network$"):
        download_wheels(package, LOCK, str(tmp_path / "uv"))
    with pytest.raises(NoWheels, match="uv is needed to download wheels"):
        download_wheels(package, LOCK, str(tmp_path / "missing"))


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_all_that_mwaa_installs_is_among_the_wheels(package: Package, tmp_path: Path) -> None:
    try:
        wheels = download_wheels(package, LOCK, UV)
    except NoWheels as error:
        if "not the file that was locked" in str(error):
            raise
        pytest.skip(str(error))
    for name, body in wheels.items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "requirements.txt").write_bytes(package.requirements)
    constraints = str(ROOT / "infra/mwaa/constraints-3.2.1-python3.12.txt")
    command = [UV, "pip", "install", "--dry-run", "--offline", "--no-index", "--find-links", str(tmp_path)]
    command += ["--python", sys.executable, "--target", str(tmp_path / "empty"), "--constraint", constraints]
    command += ["--python-platform", "x86_64-manylinux_2_28", "--requirement", str(tmp_path / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Would install {len(wheels)} packages" in done.stderr
