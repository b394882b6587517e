"""From an empty local AWS to the first forecast by `make deploy`, and a deployment that changes nothing."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.chain import LIMIT_S, ROOT, run_command, until_ready
from benchmarks.results import Result


def measure(work: Path) -> list[Result]:
    """12 synthetic athletes × 3 years, as `make run` has them; beside `make run` on an empty state."""
    deployed, ran = work / "deployed-state", work / "ran-state"
    for state in (deployed, ran):
        shutil.rmtree(state, ignore_errors=True)
    try:
        seconds = _deployment(deployed, "deploy", "--yes", "--free-ports")
        again = _deployment(deployed, "deploy", "--yes")
    finally:
        _deployment(deployed, "stop")
    beside = until_ready(run_command(ran), ROOT)
    for state in (deployed, ran):
        shutil.rmtree(state)
    return [
        Result("deploy_local_s", seconds, "s", 150.0, f"{beside:.0f} s: `make run` from the checkout"),
        Result("deploy_unchanged_s", again, "s", None, f"{seconds:.0f} s: the first deployment"),
    ]


def _deployment(state: Path, command: str, *options: str) -> float:
    """Seconds that a command took."""
    whole = [
        sys.executable,
        "-m",
        "infra.deployment",
        command,
        "--environment",
        "local",
        "--state",
        str(state),
        *options,
    ]
    started = time.perf_counter()
    done = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started
