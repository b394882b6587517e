"""Components of Airflow forked from one process that has imported everything (`airflow_processes.py --all`)."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

SCRIPT = Path(__file__).with_name("airflow_processes.py")
CODE_UNKNOWN = 255
"""Exit code of a process that ended unseen, as its parent was gone."""


def can_fork() -> bool:
    """Whether a process may be forked once it has imported so much: macOS's own libraries forbid it."""
    return sys.platform == "linux"


class ForkedProcess:
    """A process that another process forked; it answers as a `subprocess.Popen` would."""

    def __init__(self, pid: int, parent: "ForkParent") -> None:
        self.pid = pid
        self._parent = parent
        self._process: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        """The exit code, where a signal is negative; None while it runs."""
        alive = self._process is not None and self._process.is_running()
        # Its parent reports the end a moment after the process is gone.
        return None if alive else self._parent.exit_code(self.pid)

    def wait(self, timeout: float) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(SCRIPT), timeout)
            time.sleep(0.05)
        return code


class ForkParent:
    """The process that the components are forked from.

    Args:
        python: the interpreter of Airflow's environment.
        log: where the parent's own output goes.
    """

    def __init__(self, python: Path, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(python), "-P", str(SCRIPT), "--all"],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self._codes: dict[int, int] = {}
        self._reader = threading.Thread(target=self._read_ends, name="forked", daemon=True)

    def fork(self, components: Sequence[tuple[str, Sequence[str], Path]]) -> dict[str, ForkedProcess]:
        """Fork components, each given by its name, arguments of `airflow` and log file, once; in the order given.

        A component is missing in what is returned when the parent ended before its turn.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        wanted = [{"name": name, "arguments": list(arguments), "log": str(log)} for name, arguments, log in components]
        with suppress(BrokenPipeError), self.process.stdin as pipe:
            json.dump(wanted, pipe)
        started: dict[str, ForkedProcess] = {}
        while len(started) < len(wanted) and (words := self.process.stdout.readline().split()):
            if words[0] == "ended":
                self._codes[int(words[1])] = int(words[2])
            else:
                started[words[1]] = ForkedProcess(int(words[2]), self)
        self._reader.start()
        return started

    def exit_code(self, pid: int) -> int | None:
        """The exit code of an ended component; None until it is reported."""
        if pid in self._codes or self._reader.is_alive():
            return self._codes.get(pid)
        return CODE_UNKNOWN

    def _read_ends(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            _, pid, code = line.split()
            self._codes[int(pid)] = int(code)
        self.process.wait()
