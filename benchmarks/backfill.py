"""garmin_backfill of ten years inside Airflow, as a user starts it from the form of the UI."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.account_export import export_of_years
from benchmarks.local_aws import free_port
from benchmarks.results import Result
from infra.deployment.airflow_api import AirflowApi
from infra.deployment.airflow_http import airflow_at

ROOT = Path(__file__).parents[1]
YEARS = 10
LIMIT_S = 900


def measure(work: Path) -> list[Result]:
    """Seconds from the trigger to the end of the run; beside the same again, when raw holds it all."""
    export = export_of_years(work / "account-export", YEARS)
    with _deployment(work / "backfill-state") as airflow:
        airflow.unpause("garmin_backfill")
        seconds, state = _run(airflow, {"source": f"export:{export}"})
        again, _ = _run(airflow, {"source": f"export:{export}"})
    if state != "success":
        raise RuntimeError(f"the backfill ended as {state}")
    versus = f"{again:.0f} s: the same again, with nothing new in it"
    return [Result("backfill_10y_s", seconds, "s", 150.0, versus)]


def _run(airflow: AirflowApi, conf: dict[str, str]) -> tuple[float, str]:
    started = time.perf_counter()
    state = airflow.follow("garmin_backfill", airflow.trigger("garmin_backfill", conf), LIMIT_S, lambda _: None)
    return time.perf_counter() - started, state


@contextmanager
def _deployment(state: Path) -> Iterator[AirflowApi]:
    """A fresh `make run` with one small synthetic athlete, up to its first forecast."""
    shutil.rmtree(state, ignore_errors=True)
    port = free_port()
    command = [sys.executable, "-m", "infra.laptop", "run", "--source", "synthetic:athletes=1,years=1"]
    ports = ["--state", str(state), "--port-airflow", str(port), "--port-aws", str(free_port())]
    process = subprocess.Popen(
        [*command, *ports],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if "Ready after" in line:
                break
        else:
            raise RuntimeError(f"no forecast:\n{''.join(told[-30:])}")
        yield airflow_at(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
