"""Components forked from one parent: they answer as started processes do, and end with their deployment."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.laptop import forked
from infra.laptop.forked import ForkParent
from infra.laptop.supervisor import Component, Supervisor, end_leftovers

FAKE_AIRFLOW = """
import runpy, sys, time, types
sys.modules["airflow"] = types.ModuleType("airflow")
main = types.ModuleType("airflow.__main__")
def run():
    print(sys.argv, flush=True)
    if sys.argv[1] == "fails":
        raise SystemExit(3)
    time.sleep(600)
main.main = run
sys.modules["airflow.__main__"] = main
runpy.run_path(SCRIPT, run_name="__main__")
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkParent]:
    """A parent whose `airflow` sleeps: what is forked is tested here, not what it runs."""
    script = tmp_path / "script.py"
    script.write_text(FAKE_AIRFLOW.replace("SCRIPT", repr(str(forked.SCRIPT))))
    monkeypatch.setattr(forked, "SCRIPT", script)
    made = ForkParent(Path(sys.executable), os.environ, tmp_path, tmp_path / "logs/airflow.log")
    yield made
    for process in [*psutil.Process(made.process.pid).children(recursive=True)] if made.process.poll() is None else []:
        process.kill()
    made.process.kill()
    made.process.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def components(folder: Path, *names: str) -> list[tuple[str, list[str], Path]]:
    return [(name, [name, "--option"], folder / f"{name}.log") for name in names]


def test_each_component_leads_a_session_and_logs_to_its_own_file(parent: ForkParent, tmp_path: Path) -> None:
    started = parent.fork(components(tmp_path, "first", "second"))
    assert started.keys() == {"first", "second"}
    for name, process in started.items():
        assert process.poll() is None
        assert os.getsid(process.pid) == process.pid
        wait_until(lambda log=tmp_path / f"{name}.log", name=name: f"'{name}', '--option'" in log.read_text())


def test_exit_codes_are_those_of_the_components(parent: ForkParent, tmp_path: Path) -> None:
    started = parent.fork(components(tmp_path, "fails", "killed"))
    assert started["fails"].wait(timeout=10) == 3
    os.kill(started["killed"].pid, signal.SIGKILL)
    assert started["killed"].wait(timeout=10) == -signal.SIGKILL


def test_components_outlive_their_parent_and_their_end_is_seen(parent: ForkParent, tmp_path: Path) -> None:
    process = parent.fork(components(tmp_path, "orphan"))["orphan"]
    parent.process.kill()
    parent.process.wait()
    assert process.poll() is None
    psutil.Process(process.pid).kill()
    assert process.wait(timeout=10) == forked.CODE_UNKNOWN


def test_a_parent_that_fails_has_started_nothing(tmp_path: Path) -> None:
    broken = ForkParent(Path("/bin/false"), os.environ, tmp_path, tmp_path / "airflow.log")
    assert broken.fork(components(tmp_path, "first")) == {}


def test_a_killed_forked_component_is_started_by_itself(parent: ForkParent, tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path / "processes.json", tmp_path / "logs", said.append)
    supervisor.end_with("airflow", parent.process)
    forked_process = parent.fork(components(tmp_path, "sleeper"))["sleeper"]
    by_itself = Component("sleeper", (sys.executable, "-c", "import time; time.sleep(600)"), os.environ, tmp_path, 1)
    supervisor.adopt(by_itself, forked_process)
    try:
        os.kill(forked_process.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.pid("sleeper") != forked_process.pid)
        assert "was ended by SIGKILL" in said[0]
    finally:
        supervisor.stop()
    assert parent.process.poll() is not None


def test_what_a_killed_supervisor_left_is_ended_with_its_parent(parent: ForkParent, tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    supervisor = Supervisor(file, tmp_path / "logs", lambda _: None)
    supervisor.end_with("airflow", parent.process)
    process = parent.fork(components(tmp_path, "sleeper"))["sleeper"]
    component = Component("sleeper", (sys.executable, "-c", "pass"), os.environ, tmp_path, 1)
    supervisor.adopt(component, process)
    assert end_leftovers(file, grace_s=1)[0] == "sleeper"
    assert process.poll() is not None
    assert parent.process.wait(timeout=10) is not None
