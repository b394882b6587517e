"""The DAGs folder as MWAA has it: the project is importable from that folder alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.mwaa.layout import IGNORE_FILE, lay_out, link

ROOT = Path(__file__).parents[2]
DAGS = {
    "garmin_backfill": "dags/backfill.py",
    "garmin_ingest": "dags/ingest.py",
    "model_build": "dags/build.py",
    "model_deploy": "dags/deploy.py",
}
"""File of each DAG, below the DAGs folder."""
DEPLOYMENT = {"GFF_ACCOUNT_ID": "123456789012", "GFF_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}
PARSE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
print("PARSED " + json.dumps({
    "dags": {dag_id: dag.relative_fileloc for dag_id, dag in bag.dags.items()},
    "errors": {Path(name).name: text for name, text in bag.import_errors.items()},
    "files": sorted(Path(stat.file).name for stat in bag.dagbag_stats),
    "path": sys.path,
    "modules": {name: sys.modules[name].__file__ for name in ("dags", "include", "plugins") if name in sys.modules},
}))
"""


def parse(home: Path, folder: Path, **deployment: str) -> dict[str, Any]:
    """What Airflow makes of a DAGs folder, in a fresh process whose path is that of MWAA."""
    own_path = home / "python"
    for place in (own_path, home / "plugins"):  # MWAA has both; beside the DAGs folder, and no package
        place.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "PYTHONPATH": f"{own_path}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        **deployment,
    }
    command = [sys.executable, "-c", PARSE, str(folder)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("PARSED "))
    return dict(json.loads(line.removeprefix("PARSED ")))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def parsed(home: Path) -> dict[str, Any]:
    lay_out(ROOT, home / "dags")
    return parse(home, home / "dags", **DEPLOYMENT)


def test_every_dag_loads_from_the_dags_folder_alone(home: Path, parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}
    assert parsed["dags"] == DAGS
    assert str(ROOT) not in parsed["path"]
    assert {Path(file).parents[1] for file in parsed["modules"].values()} == {home / "dags"}


def test_only_files_that_define_a_dag_are_parsed(parsed: dict[str, Any]) -> None:
    assert parsed["files"] == sorted(Path(file).name for file in DAGS.values())


def test_links_make_the_same_folder(tmp_path: Path) -> None:
    link(ROOT, tmp_path / "dags")
    found = parse(tmp_path, tmp_path / "dags", **DEPLOYMENT)
    assert (found["errors"], found["dags"]) == ({}, DAGS)
    assert str(ROOT) not in found["path"]


def test_without_an_account_every_dag_names_the_variable(home: Path, parsed: dict[str, Any]) -> None:
    found = parse(home, home / "dags")
    assert found["dags"] == {}
    assert sorted(found["errors"]) == sorted(Path(file).name for file in DAGS.values())
    assert all("GFF_ACCOUNT_ID" in text for text in found["errors"].values())


def test_what_is_laid_out_is_what_the_packages_need(tmp_path: Path) -> None:
    written = lay_out(ROOT, tmp_path)
    there = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert written == there
    assert {name.split("/")[0] for name in written} == {IGNORE_FILE, "dags", "include", "plugins"}
    assert "__init__.py" not in written
    assert {"dags/ingest.py", "include/serving/openapi.yaml", "include/serving/page/page.js"} <= set(written)
    assert not [name for name in written if "__pycache__" in name or name.endswith(".pyc") or name.startswith("tests")]


def test_the_same_sources_are_laid_out_the_same(tmp_path: Path) -> None:
    first, second = lay_out(ROOT, tmp_path / "a"), lay_out(ROOT, tmp_path / "b")
    assert first == second
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in first)


def test_a_module_that_is_gone_is_gone_from_the_folder_and_other_files_stay(tmp_path: Path) -> None:
    checkout, target = tmp_path / "checkout", tmp_path / "target"
    for name in ("dags", "include", "plugins"):
        (checkout / name).mkdir(parents=True)
        (checkout / name / "__init__.py").touch()
    (checkout / "include/old.py").touch()
    lay_out(checkout, target)
    (checkout / "include/old.py").unlink()
    (target / "requirements.txt").write_text("pandas")
    written = lay_out(checkout, target)
    assert not (target / "include/old.py").exists()
    assert (target / "requirements.txt").read_text() == "pandas"
    assert "requirements.txt" not in written


def test_links_are_replaced_and_never_what_they_point_to(tmp_path: Path) -> None:
    link(ROOT, tmp_path)
    lay_out(ROOT, tmp_path)
    link(ROOT, tmp_path)
    assert (tmp_path / "dags").resolve() == ROOT / "dags"
    assert (ROOT / "dags/ingest.py").is_file()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no package: run this in a checkout"):
        lay_out(tmp_path, tmp_path / "target")
    assert not (tmp_path / "target").exists()
