"""With real processes: what is killed comes back, what is stopped ends, and others stay alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.laptop.supervisor import Component, Supervisor, end_leftovers

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(child.pid, flush=True); time.sleep(600)"
)


def component(name: str, code: str, folder: Path, grace_s: float = 5) -> Component:
    return Component(name, (sys.executable, "-c", code), dict(os.environ), folder, grace_s)


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervisor(tmp_path: Path, told: Told) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "processes.json", tmp_path / "logs", told)
    yield supervisor
    supervisor.stop()


def test_a_killed_component_is_started_again_and_told(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    supervisor.start(component("dummy", SLEEPER, tmp_path))
    first = supervisor.pid("dummy")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervisor.pid("dummy") != first)
    assert is_alive(supervisor.pid("dummy"))
    assert not is_alive(first)
    assert "dummy was ended by SIGKILL" in told.lines[0]
    assert str(supervisor.log_file("dummy")) in told.lines[0]
    assert told.lines[1] == "dummy runs again"


def test_the_pause_grows_with_every_death(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    supervisor.start(component("broken", "raise SystemExit(3)", tmp_path))
    wait_until(lambda: sum("exit code 3" in line for line in told.lines) == 3)
    pauses = [line.split("again in ")[1].split(" s")[0] for line in told.lines if "again in" in line]
    assert [float(pause) for pause in pauses] == [0.5, 1, 2]


def test_children_of_a_killed_component_are_ended_before_it_starts_again(
    supervisor: Supervisor, told: Told, tmp_path: Path
) -> None:
    supervisor.start(component("parent", PARENT, tmp_path))
    wait_until(lambda: supervisor.log_file("parent").read_text().strip().isdigit())
    orphan = int(supervisor.log_file("parent").read_text())
    os.kill(supervisor.pid("parent"), signal.SIGKILL)
    wait_until(lambda: "parent runs again" in told.lines)
    assert not is_alive(orphan)


def test_stop_ends_all_that_was_started_and_nothing_else(supervisor: Supervisor, tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        supervisor.start(component("parent", PARENT, tmp_path))
        supervisor.start(component("stubborn", STUBBORN, tmp_path, grace_s=0.5))
        wait_until(lambda: supervisor.log_file("parent").read_text().strip().isdigit())
        wait_until(lambda: "up" in supervisor.log_file("stubborn").read_text())
        pids = [supervisor.pid("parent"), supervisor.pid("stubborn"), int(supervisor.log_file("parent").read_text())]
        supervisor.stop()
        assert [pid for pid in pids if is_alive(pid)] == []
        assert other.poll() is None
        assert not (tmp_path / "processes.json").exists()
    finally:
        other.kill()
        other.wait()


def test_nothing_is_started_again_after_stop(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    supervisor.start(component("dummy", SLEEPER, tmp_path))
    supervisor.stop()
    time.sleep(1)
    assert told.lines == []


def test_leftovers_of_a_killed_supervisor_are_ended(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path;"
        "from infra.laptop.supervisor import Component, Supervisor;"
        f"s = Supervisor(Path({str(tmp_path / 'processes.json')!r}), Path({str(tmp_path)!r}), print);"
        f"s.start(Component('left', (sys.executable, '-c', {PARENT!r}), dict(os.environ), Path('.')));"
        "print(s.pid('left'), flush=True); time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    outer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
    assert outer.stdout is not None
    left = int(outer.stdout.readline())
    wait_until(lambda: (tmp_path / "left.log").read_text().strip().isdigit())
    child = int((tmp_path / "left.log").read_text())
    outer.kill()
    outer.wait()
    assert is_alive(left)
    assert end_leftovers(tmp_path / "processes.json") == ["left"]
    assert not is_alive(left)
    assert not is_alive(child)
    assert end_leftovers(tmp_path / "processes.json") == []


def test_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        (tmp_path / "processes.json").write_text(f'[{{"name": "gone", "pid": {other.pid}, "born": 1.0}}]')
        assert end_leftovers(tmp_path / "processes.json") == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
