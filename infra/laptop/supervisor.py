"""Starts processes, keeps them alive, and ends those alone."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil  # type: ignore[import-untyped]

from infra.laptop.forked import CODE_UNKNOWN

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
"""A component that lived this long begins again with the first pause."""
GRACE_S = 10.0
"""What a process gets to end by itself after SIGTERM."""


@dataclass(frozen=True)
class Component:
    """One long-running process. `command[0]` is an absolute path."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    grace_s: float = GRACE_S


class Process(Protocol):
    """What the supervisor needs of a process: `subprocess.Popen` has it."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int: ...


@dataclass
class _Running:
    component: Component
    process: Process
    started_at: float
    pause_s: float = FIRST_PAUSE_S
    restart_at: float | None = None
    deaths: int = field(default=0)


class Supervisor:
    """Each component is the leader of a session of its own, so that a Ctrl-C in the terminal reaches the
    supervisor alone and everything a component forks can be ended with it.

    Args:
        processes_file: ids and birth times of what runs are kept here, for `end_leftovers`.
        logs: folder of one log file a component.
        say: told of every death and restart, in a line.
    """

    def __init__(self, processes_file: Path, logs: Path, say: Callable[[str], None]) -> None:
        self._file = processes_file
        self._logs = logs
        self._say = say
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._ended_with: dict[str, Process] = {}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self, component: Component) -> None:
        """Start a component; it is started anew whenever it dies until `stop`."""
        self.adopt(component, self._spawn(component))

    def adopt(self, component: Component, process: Process) -> None:
        """Keep a component alive that runs already, as `process`, the leader of a session."""
        with self._lock:
            self._running[component.name] = _Running(component, process, time.monotonic())
            self._keep()
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            self._watcher.start()

    def pid(self, name: str) -> int:
        """The process id of a component now."""
        with self._lock:
            return self._running[name].process.pid

    def log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def stop(self) -> None:
        """End all, the last started first: SIGTERM, then SIGKILL to what is left of each session."""
        self._stopping.set()
        with self._lock:
            for running in reversed(self._running.values()):
                end_session(running.process.pid, running.component.grace_s, running.process)
            for process in self._ended_with.values():
                end_session(process.pid, 0, process)
            self._running.clear()
            self._ended_with.clear()
            self._file.unlink(missing_ok=True)

    def end_with(self, name: str, process: Process) -> None:
        """End a process, the leader of a session, with the components, after them; it is not started again."""
        with self._lock:
            self._ended_with[name] = process
            self._keep()

    def _spawn(self, component: Component) -> subprocess.Popen[bytes]:
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(component.name).open("ab") as output:
            return subprocess.Popen(
                component.command,
                env=dict(component.environment),
                cwd=component.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _keep(self) -> None:
        kept = []
        processes = self._ended_with | {name: running.process for name, running in self._running.items()}
        for name, process in processes.items():
            with suppress(psutil.NoSuchProcess):
                born = psutil.Process(process.pid).create_time()
                kept.append({"name": name, "pid": process.pid, "born": born})
        whole = self._file.with_suffix(".new")
        whole.write_text(json.dumps(kept))
        whole.replace(self._file)

    def _watch(self) -> None:
        while not self._stopping.wait(0.2):
            with self._lock:
                if self._stopping.is_set():
                    return
                now = time.monotonic()
                for running in self._running.values():
                    self._tend(running, now)

    def _tend(self, running: _Running, now: float) -> None:
        name = running.component.name
        if running.restart_at is not None:
            if now >= running.restart_at:
                running.process = self._spawn(running.component)
                running.started_at, running.restart_at = now, None
                self._keep()
                self._say(f"{name} runs again")
        elif (code := running.process.poll()) is not None:
            end_session(running.process.pid, 0, running.process)
            if now - running.started_at >= HEALTHY_AFTER_S:
                running.pause_s = FIRST_PAUSE_S
            running.restart_at = now + running.pause_s
            running.deaths += 1
            self._say(f"{name} {_how(code)}; starting it again in {running.pause_s:g} s (log: {self.log_file(name)})")
            running.pause_s = min(running.pause_s * 2, LONGEST_PAUSE_S)


def _how(code: int) -> str:
    if code == CODE_UNKNOWN:
        return "ended"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _members(leader: int) -> list[psutil.Process]:
    """The leader of a session, what is in the session, and the descendants of either."""
    members = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == leader or os.getsid(process.pid) == leader:
                members[process.pid] = process
                for child in process.children(recursive=True):
                    members[child.pid] = child
    return list(members.values())


def end_session(leader: int, grace_s: float, process: Process | None = None) -> None:
    """End a session that was started here. `grace_s` after SIGTERM to its leader all that is left is killed."""
    members = _members(leader)
    if grace_s > 0:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        psutil.wait_procs([m for m in members if m.pid == leader], timeout=grace_s)
        members = list({m.pid: m for m in [*members, *_members(leader)]}.values())
    for member in members:
        with suppress(psutil.Error):  # psutil compares birth times: a reused id is never killed
            if member.is_running():
                member.kill()
    if process is not None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    psutil.wait_procs(members, timeout=5)


def end_leftovers(processes_file: Path, grace_s: float = GRACE_S) -> list[str]:
    """End what an earlier supervisor left behind when it was killed; the names of what was ended."""
    if not processes_file.exists():
        return []
    ended = []
    for kept in reversed(json.loads(processes_file.read_text())):
        with suppress(psutil.NoSuchProcess):
            if abs(psutil.Process(kept["pid"]).create_time() - kept["born"]) < 0.01:
                end_session(kept["pid"], grace_s)
                ended.append(kept["name"])
    processes_file.unlink()
    return ended
