"""From `make run` to the first forecast: on a prepared machine, from a fresh clone, and again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.local_aws import free_port
from benchmarks.results import Result
from infra.access.grants import grants

ROOT = Path(__file__).parents[1]
READY = "Ready after"
LIMIT_S = 1200


def until_ready(command: Sequence[str], folder: Path) -> float:
    """Seconds from the command to the line that says that forecasts answer; the command is interrupted then."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    told: list[str] = []
    seconds = None
    try:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line)
            if READY in line:
                seconds = time.perf_counter() - started
                break
            if time.perf_counter() - started > LIMIT_S:
                break
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
    if seconds is None:
        raise RuntimeError(f"{' '.join(command)} did not reach a forecast:\n{''.join(told[-30:])}")
    return seconds


def run_command(state: Path) -> list[str]:
    ports = ["--port-airflow", str(free_port()), "--port-aws", str(free_port())]
    return [sys.executable, "-m", "infra.laptop", "run", "--state", str(state), *ports]


def airflow_standalone_s(work: Path) -> float:
    """What Airflow alone takes to be up: its own all-in-one command, without data, model or AWS."""
    home = work / "standalone"
    shutil.rmtree(home, ignore_errors=True)
    port = free_port()
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    started = time.perf_counter()
    with (work / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            ["airflow", "standalone"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while time.perf_counter() - started < LIMIT_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
                    if answer.read().count(b'"healthy"') >= 4:
                        return time.perf_counter() - started
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.2)
        raise TimeoutError("airflow standalone did not come up")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def measure_run(work: Path) -> list[Result]:
    """12 synthetic athletes × 3 years to the first forecast, then a second run on the kept state."""
    state = work / "state"
    shutil.rmtree(state, ignore_errors=True)
    first = until_ready(run_command(state), ROOT)
    again = until_ready(run_command(state), ROOT)
    versus = f"{airflow_standalone_s(work):.0f} s: `airflow standalone` until healthy (no data, no model)"
    return [
        Result("run_to_forecast_s", first, "s", 60.0, versus),
        Result("resume_s", again, "s", 45.0, versus),
    ]


def measure_access(work: Path) -> list[Result]:
    """What `make e2e` says of IAM: calls of roles that were denied, and grants that none needed."""
    command = [sys.executable, "-m", "infra.laptop", "e2e", "--source", "synthetic"]
    environment = {**os.environ, "TMPDIR": str(work)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    said = re.search(r"access: (\d+) calls under roles, (\d+) denied; (\d+) grants unused", done.stdout)
    if said is None:
        raise RuntimeError(f"make e2e said nothing of access:\n{done.stdout[-2000:]}")
    calls, denied, unused = (int(figure) for figure in said.groups())
    granted = len(grants())
    return [
        Result("iam_calls_denied", denied, "", 0.0, f"{calls} calls under roles"),
        Result("iam_actions_unused", unused, "", None, f"{granted} granted; each reason in infra/access/unused.toml"),
    ]


def measure_clone(work: Path) -> list[Result]:
    """git clone and `make run`, with the packages in uv's cache; beside installing the same locks by pip."""
    clone = work / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    ports = f"--port-airflow {free_port()} --port-aws {free_port()}"
    script = f"git clone --quiet {ROOT} {clone} && cd {clone} && exec make run OPTIONS='{ports}'"
    seconds = until_ready(["sh", "-c", script], work)
    versus = f"{_pip_install_s(work):.0f} s: pip install of the same two locks alone"
    shutil.rmtree(clone)
    return [Result("clone_to_forecast_s", seconds, "s", 90.0, versus)]


def _pip_install_s(work: Path) -> float:
    started = time.perf_counter()
    for name in ("airflow", "jobs"):
        environment = work / f"pip-{name}"
        shutil.rmtree(environment, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = [str(environment / "bin/pip"), "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(ROOT / f"locks/{name}.txt")], check=True)
        shutil.rmtree(environment)
    return time.perf_counter() - started


def deployed_state(work: Path) -> Path:
    """A copy of local AWS's state with a deployed forecaster; made by a run when there is none."""
    kept = work / "state" / "aws"
    if not kept.exists():
        until_ready(run_command(work / "state"), ROOT)
    copy = work / "deployed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(kept, copy, ignore=shutil.ignore_patterns("work", "lock"))
    return copy
