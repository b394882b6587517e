"""Before Airflow starts: is there room for it, and has its database the tables of this version?"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from infra.compose import database, process, secret_files
from infra.compose.place import LOGS, CannotStart

GIB = 2**30
MEMORY_NEEDED = 4 * GIB
"""What all containers take at their peak with twelve athletes, with room to spare."""
DISK_NEEDED = 2 * GIB
CORES_WANTED = 2
VERSION_TABLE = "alembic_version"


def main() -> int:
    """Check the machine, then make or migrate the database; the exit status of the migration."""
    require_memory(Path("/proc/meminfo").read_text())
    require_disk(shutil.disk_usage(LOGS).free)
    cores = len(os.sched_getaffinity(0))
    if cores < CORES_WANTED:
        print(f"Docker has {cores} core: with {CORES_WANTED} all is twice as fast.")
    made = process.airflow_environment(os.environ, secret_files.read(), secret_files.database_password())
    return migrate(made)


def require_memory(meminfo: str) -> None:
    """Check the memory of the machine that runs the containers (on a Mac: of Docker's virtual machine).

    Raises:
        CannotStart: it has too little.
    """
    total = next(int(line.split()[1]) * 1024 for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    if total < MEMORY_NEEDED:
        raise CannotStart(
            f"Docker has {total / GIB:.1f} GiB of memory and this project needs {MEMORY_NEEDED // GIB} GiB: give it "
            "more (Docker Desktop: Settings, Resources), then `docker compose up` again."
        )


def require_disk(free: int) -> None:
    """Check the disk that holds Docker's volumes.

    Raises:
        CannotStart: it is nearly full.
    """
    if free < DISK_NEEDED:
        raise CannotStart(
            f"The disk of Docker's volumes has {free / GIB:.1f} GiB left and {DISK_NEEDED // GIB} GiB are needed: make "
            "room (`docker system prune` deletes what no container uses), then `docker compose up` again."
        )


def migrate(environment: Mapping[str, str]) -> int:
    """Make Airflow's tables, or bring them to this version; the exit status.

    A database of this version is left alone: to find that out costs Airflow ten seconds, and a remark on its table a
    moment.
    """
    remark = f"apache-airflow-core {version('apache-airflow-core')}"
    if database.figure("SELECT obj_description(to_regclass(%s), 'pg_class')", (VERSION_TABLE,)) == remark:
        print("Airflow's database is ready.")
        return 0
    done = subprocess.run(
        ["airflow", "db", "migrate"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print("Airflow's database could not be made:\n" + "\n".join(done.stdout.splitlines()[-15:]), file=sys.stderr)
        return done.returncode
    database.change(f"COMMENT ON TABLE {VERSION_TABLE} IS %s", (remark,))
    print("Airflow's database is made.")
    return 0
