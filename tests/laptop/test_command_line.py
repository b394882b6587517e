"""The program as a user calls it, where it ends before anything is started."""

import fcntl
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def laptop(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.laptop", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_help_says_all() -> None:
    shown = laptop("--help").stdout
    assert all(word in shown for word in ("run", "e2e", "stop", "clean", "--source", "--state", "--port-airflow"))


def test_a_taken_port_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        done = laptop("run", "--state", str(tmp_path), "--port-aws", str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"Port {port}" in done.stderr
    assert not (tmp_path / "processes.json").exists()


def test_a_second_run_on_the_same_state_is_told(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = laptop("run", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "Another run uses" in done.stderr


def test_an_unreadable_source_is_told_before_anything_is_started(tmp_path: Path) -> None:
    done = laptop("run", "--state", str(tmp_path), "--source", "folder:/nowhere/at/all", *free_ports())
    assert done.returncode == 1
    assert "SOURCE=folder:/nowhere/at/all cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "processes.json").exists()


def test_stop_without_anything_running_is_no_error(tmp_path: Path) -> None:
    done = laptop("stop", "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "nothing of ours runs\n")


def test_clean_deletes_the_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "kept").write_text("")
    assert laptop("clean", "--state", str(state)).returncode == 0
    assert not state.exists()
    assert tmp_path.exists()


def free_ports() -> list[str]:
    ports = []
    for option in ("--port-airflow", "--port-aws"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports += [option, str(probe.getsockname()[1])]
    return ports
