"""Airflow's database on SQLite: migrated once for every version of Airflow; new ones are copies of one made before."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version as installed_version
from pathlib import Path
from subprocess import PIPE, STDOUT, run

from infra.laptop.options import ROOT, LaptopError, Options


def make_database(options: Options, environment: Mapping[str, str]) -> None:
    """Bring the database to the installed version of Airflow; at once where it is, or where an empty one can be copied.

    The first empty database of a version is kept beside Airflow's environment: to make one takes seconds.

    Raises:
        LaptopError: Airflow could not make it; the message ends with what it printed last.
    """
    version = installed_version("apache-airflow-core")
    stamp = options.airflow_home / "database-version"
    if stamp.exists() and stamp.read_text() == version:
        return
    database = options.airflow_home / "airflow.db"
    empty = options.airflow_bin.parent / f"empty-database-{version}.db"
    if database.exists():
        _migrate(options, environment)
    elif empty.exists():
        _copy(empty, database)
    else:
        _migrate(options, environment)
        _copy(database, empty)
    stamp.write_text(version)


def _migrate(options: Options, environment: Mapping[str, str]) -> None:
    command = [str(options.airflow_bin / "airflow"), "db", "migrate"]
    done = run(command, env=dict(environment), cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise LaptopError("Airflow's database could not be made:\n" + "\n".join(done.stdout.splitlines()[-15:]))


def _copy(source: Path, target: Path) -> None:
    """Copy a database as a whole: a killed copy leaves nothing under the target's name."""
    part = target.with_name(f"{target.name}.{os.getpid()}")
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(part)) as written,
    ):
        read.backup(written)
    part.replace(target)
