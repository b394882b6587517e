"""The packaged DAGs under the other Airflow versions of MWAA, in environments that are thrown away."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra.package import Package
from tests.mwaa.dag_parsing import DAGS, DEPLOYMENT, failed_imports, parse
from tests.package.conftest import ROOT
from tests.package.test_requirements import pins

VERSIONS = ("3.0.6", "3.3.1")
UNSATISFIED = {"3.0.6": ["garminconnect"], "3.3.1": []}
"""Requirements that MWAA's constraints of that version cannot meet: requests 2.32 there, and garminconnect wants 2.33."""


def lock(version: str) -> Path:
    return Path(__file__).with_name(f"airflow-{version}.txt")


def install(version: str, target: Path) -> str:
    """The Python of a new environment that holds what MWAA of that version would; skips where that cannot be."""
    uv = shutil.which("uv") or str(ROOT / ".venvs/uv/bin/uv")
    if not Path(uv).is_file():
        pytest.skip("there is no uv to make the environment with")
    python = str(target / "bin/python")
    for command in (
        [uv, "venv", "--quiet", "--python", str(Path(sys.executable).resolve()), str(target)],
        [uv, "pip", "sync", "--quiet", "--python", python, str(lock(version))],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"Airflow {version} cannot be installed here: {done.stderr.strip()[-300:]}")
    return python


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lock_of_the_test_is_what_mwaa_would_install(package: Package, version: str) -> None:
    found = pins(lock(version))
    assert found["apache-airflow"] == version
    wanted = [Requirement(line) for line in package.requirements.decode().splitlines()]
    unsatisfied = [each.name for each in wanted if not each.specifier.contains(found[each.name])]
    assert unsatisfied == UNSATISFIED[version]


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_dag_loads(dist: Path, tmp_path: Path, version: str) -> None:
    home = tmp_path / "airflow"
    shutil.copytree(dist / "mwaa/dags", home / "dags")
    python = install(version, tmp_path / "environment")
    parsed = parse(home, home / "dags", python, **DEPLOYMENT)
    assert parsed["airflow"] == version
    assert (parsed["errors"], parsed["dags"]) == ({}, DAGS)
    assert min(parsed["tasks"].values()) > 1, "every DAG can be serialized"
    assert failed_imports(home, home / "dags", python, **DEPLOYMENT) == []
