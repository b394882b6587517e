"""The database of Airflow: migrated when it must be, copied when it can be."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from infra.laptop import airflow_database
from infra.laptop.airflow_database import make_database
from infra.laptop.options import LaptopError, Options

MIGRATES = """#!/bin/sh
echo migrated >> "$AIRFLOW_HOME/../migrations"
{python} -c "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('create table if not exists dag (id)')" "$AIRFLOW_HOME/airflow.db"
"""


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(Options, "airflow_bin", folder)
    return folder


def airflow(folder: Path, script: str) -> None:
    (folder / "airflow").write_text(script)
    (folder / "airflow").chmod(0o755)


def options(folder: Path, name: str) -> Options:
    made = Options("synthetic", folder / name, 1, 2)
    made.airflow_home.mkdir(parents=True)
    return made


def make(made: Options) -> None:
    make_database(made, os.environ | {"AIRFLOW_HOME": str(made.airflow_home)})


def tables(made: Options) -> list[str]:
    with closing(sqlite3.connect(made.airflow_home / "airflow.db")) as database:
        return [name for (name,) in database.execute("select name from sqlite_master")]


def migrations(made: Options) -> int:
    file = made.state / "migrations"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def migrating(binaries: Path) -> Path:
    import sys

    airflow(binaries, MIGRATES.format(python=sys.executable))
    return binaries


def test_a_second_deployment_copies_the_empty_database_of_the_first(migrating: Path, tmp_path: Path) -> None:
    first, second = options(tmp_path, "first"), options(tmp_path, "second")
    make(first)
    make(second)
    assert (migrations(first), migrations(second)) == (1, 0)
    assert tables(second) == tables(first) == ["dag"]


def test_a_database_of_another_version_is_migrated_and_not_replaced(
    migrating: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = options(tmp_path, "first")
    make(made)
    with closing(sqlite3.connect(made.airflow_home / "airflow.db")) as database:
        database.execute("create table kept (id)")
    monkeypatch.setattr(airflow_database, "installed_version", lambda _: "9.9.9")
    make(made)
    make(made)
    assert migrations(made) == 2
    assert tables(made) == ["dag", "kept"]
    assert not (migrating / "empty-database-9.9.9.db").exists()


def test_a_database_that_cannot_be_made_is_told_with_the_last_lines(binaries: Path, tmp_path: Path) -> None:
    airflow(binaries, "#!/bin/sh\necho the disk is full\nexit 1\n")
    with pytest.raises(LaptopError, match="the disk is full"):
        make(options(tmp_path, "first"))
    assert not list(binaries.glob("empty-database*"))
