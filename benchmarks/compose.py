"""From `docker compose up`, with images built and no data, until every container that stays is healthy."""

import tempfile
from pathlib import Path

from benchmarks.chain import airflow_standalone_s
from benchmarks.results import Result
from tests.compose.containers import Containers, copy_checkout
from tests.compose.engine import NoEngine, engine


def measure(work: Path) -> list[Result]:
    """Nothing where no Docker engine runs or can be started; then it says why."""
    try:
        with engine() as running, tempfile.TemporaryDirectory() as folder:
            copy_checkout(Path(folder))
            containers = Containers(running, Path(folder), "synthetic")
            try:
                containers.build()
                healthy_s = containers.up()
            finally:
                containers.down("--volumes")
    except NoEngine as reason:
        print(f"compose_healthy_s is not measured: {reason}")
        return []
    versus = f"{airflow_standalone_s(work):.0f} s: `airflow standalone` until healthy (SQLite, no containers, no AWS)"
    return [Result("compose_healthy_s", healthy_s, "s", 90.0, versus)]
