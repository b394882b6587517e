"""The packaged DAGs folder as MWAA has it: every DAG loads from that folder alone, under the Airflow of this project."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.package import Package
from tests.mwaa.dag_parsing import DAGS, DEPLOYMENT, failed_imports, parse
from tests.package.conftest import ROOT


@pytest.fixture(scope="module")
def home(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's home with the DAGs folder of the package in it."""
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(dist / "mwaa/dags", home / "dags")
    return home


@pytest.fixture(scope="module")
def parsed(home: Path) -> dict[str, Any]:
    return parse(home, home / "dags", **DEPLOYMENT)


def test_every_dag_loads_from_the_dags_folder_alone(home: Path, parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}
    assert parsed["dags"] == DAGS
    assert min(parsed["tasks"].values()) > 1
    assert str(ROOT) not in parsed["path"]
    assert {Path(file).parents[1] for file in parsed["modules"].values()} == {home / "dags"}


def test_every_dag_shows_the_version_of_the_package(package: Package, parsed: dict[str, Any]) -> None:
    assert [tag for tag in parsed["tags"] if tag.startswith("version:")] == [f"version:{package.version}"]


def test_only_files_that_define_a_dag_are_parsed(parsed: dict[str, Any]) -> None:
    assert parsed["files"] == sorted(Path(file).name for file in DAGS.values())


def test_every_import_of_a_task_is_there(home: Path) -> None:
    assert failed_imports(home, home / "dags", **DEPLOYMENT) == []


def test_without_an_account_every_dag_names_the_variable(home: Path) -> None:
    found = parse(home, home / "dags")
    assert found["dags"] == {}
    assert sorted(found["errors"]) == sorted(Path(file).name for file in DAGS.values())
    assert all("GFF_ACCOUNT_ID" in text for text in found["errors"].values())
