"""`make deploy ENV=local` as a user has it: from nothing, killed, again, stopped, started, and taken away."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.laptop import background
from tests.e2e.conftest import ROOT, SOURCE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


class Deployed:
    """One state folder, and the commands on it."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def start(self, command: str, *options: str) -> subprocess.Popen[str]:
        whole = [sys.executable, "-m", "infra.deployment", command, "--state", str(self.state), *options]
        return subprocess.Popen(
            whole, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, command: str, *options: str) -> str:
        process = self.start(command, *options)
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
        return output

    def page_status(self, output: str) -> int:
        """The status of the page at the address that a command printed."""
        address = next(line.split()[-1] for line in output.splitlines() if line.strip().startswith("Page"))
        return httpx.get(address, timeout=30).status_code

    def processes(self) -> list[int]:
        """What was started and lives."""
        kept = (
            json.loads((self.state / "processes.json").read_text()) if (self.state / "processes.json").exists() else []
        )
        return [row["pid"] for row in kept if psutil.pid_exists(row["pid"])]


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    made = Deployed(tmp_path / "state")
    yield made
    background.stop(made.state)


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read what a command prints until some words come."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")


def test_from_nothing_to_forecasts_and_back_to_nothing(deployed: Deployed) -> None:
    killed = deployed.start("deploy", "--yes", "--free-ports", "--source", SOURCE)
    until(killed, "garmin_ingest …")
    time.sleep(5)  # so that the run is on its way
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    finished = deployed.run("deploy", "--yes")
    assert "Everything is as it should be." in finished
    assert finished.count("persistence") + finished.count("combined") >= 3
    assert deployed.page_status(finished) == 200

    again = deployed.run("deploy")  # nothing to ask, and nothing is run
    assert "forecasts answer already" in again

    assert "healthy" in deployed.run("status")
    assert "ended" in deployed.run("stop")
    assert deployed.processes() == []
    deployed.run("start")
    assert deployed.page_status(deployed.run("deploy")) == 200

    deployed.run("undeploy", "--yes", "--with-data", "--with-access")
    assert deployed.processes() == []
    left = deployed.run("status")
    assert "COMPLETE" not in left
    calls = json.loads((deployed.state / "aws/iam-calls.json").read_text())
    assert calls["denied"] == []
