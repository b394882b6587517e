"""The DAGs folder as MWAA has it: three packages, importable from that folder alone."""

from pathlib import Path

import pytest

from infra.mwaa.layout import IGNORE_FILE, dags_folder, link
from tests.mwaa.dag_parsing import DAGS, DEPLOYMENT, parse

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in ("dags", "include", "plugins"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    return root


def test_links_make_a_folder_that_every_dag_loads_from(tmp_path: Path) -> None:
    link(ROOT, tmp_path / "dags")
    found = parse(tmp_path, tmp_path / "dags", **DEPLOYMENT)
    assert (found["errors"], found["dags"]) == ({}, DAGS)
    assert str(ROOT) not in found["path"]
    assert "version:checkout" in found["tags"]


def test_the_folder_holds_what_the_packages_need() -> None:
    names = dags_folder(ROOT).keys()
    assert {name.split("/")[0] for name in names} == {IGNORE_FILE, "dags", "include", "plugins"}
    assert "__init__.py" not in names, "it would make `dags` mean the outer folder"
    assert {"dags/ingest.py", "dags/.airflowignore", "include/serving/openapi.yaml"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_links_replace_an_older_folder_and_never_what_they_point_to(checkout: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "include").mkdir(parents=True)
    (target / "include/old.py").touch()
    (target / "dags").symlink_to(checkout / "include", target_is_directory=True)
    (target / "requirements.txt").write_text("pandas")
    link(checkout, target)
    link(checkout, target)
    assert [(target / name).resolve() for name in ("dags", "include")] == [checkout / "dags", checkout / "include"]
    assert (checkout / "include/__init__.py").is_file()
    assert (target / "requirements.txt").read_text() == "pandas"


def test_a_folder_that_is_no_checkout_is_refused(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is missing: run this in a checkout"):
        dags_folder(tmp_path)
    (checkout / "plugins/__init__.py").unlink()
    with pytest.raises(FileNotFoundError, match="plugins is no package: run this in a checkout"):
        dags_folder(checkout)
