"""The processes of one running job: started together, watched, stopped together."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.localaws.sagemaker import opt_ml
from infra.localaws.sagemaker.opt_ml import Launch

STOP_GRACE_S = 120.0
"""What SageMaker leaves a job between SIGTERM and SIGKILL."""
DRAIN_S = 5.0
"""How long the rest of the output is read after the process is gone."""


@dataclass(frozen=True)
class Ended:
    """How the processes of a job ended."""

    exit_codes: Mapping[str, int]
    """By host; negative for the signal that killed it."""
    stopped: bool
    timed_out: bool

    @property
    def failed_host(self) -> str | None:
        return next((host for host, code in self.exit_codes.items() if code != 0), None)


class ProcessGroup:
    """One process a host. `run` blocks until all have ended; `stop` and `kill` may come from other threads."""

    def __init__(self, grace_s: float = STOP_GRACE_S) -> None:
        self._grace_s = grace_s
        self._wake = threading.Condition()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._exit_codes: dict[str, int] = {}
        self._stop = False
        self._killed = False

    def stop(self) -> None:
        """Ask the processes to end: SIGTERM, and SIGKILL after the grace."""
        with self._wake:
            self._stop = True
            self._wake.notify_all()

    def kill(self) -> None:
        """End every process at once."""
        with self._wake:
            self._stop = self._killed = True
            for process in self._processes.values():
                _signal_session(process, signal.SIGKILL)
            self._wake.notify_all()

    @property
    def killed(self) -> bool:
        """Whether local AWS ended the job because it stops itself."""
        return self._killed

    def run(self, launches: Mapping[str, Launch], on_line: Callable[[str, str], None], limit_s: float) -> Ended:
        """Start one process a host, hand every output line to `on_line(host, line)`, and wait.

        All are ended when one fails, when `stop` is called, or after `limit_s` seconds.
        """
        with self._wake:
            if self._stop:
                return Ended({}, stopped=True, timed_out=False)
            for host, launch in launches.items():
                self._processes[host] = opt_ml.start(launch, die_with_parent=True)
        readers = [self._watch(host, process, on_line) for host, process in self._processes.items()]
        timed_out = self._wait_until_over(limit_s)
        for reader in readers:
            reader.join(DRAIN_S)
        with self._wake:
            return Ended(dict(self._exit_codes), stopped=self._stop and not timed_out, timed_out=timed_out)

    def _watch(
        self, host: str, process: subprocess.Popen[bytes], on_line: Callable[[str, str], None]
    ) -> threading.Thread:
        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                on_line(host, line.decode("utf-8", "replace").rstrip("\r\n"))

        def wait() -> None:
            code = process.wait()
            _signal_session(process, signal.SIGKILL)  # what it left behind ends with the container
            with self._wake:
                self._exit_codes[host] = code
                self._wake.notify_all()

        threading.Thread(target=wait, name=f"wait-{host}", daemon=True).start()
        reader = threading.Thread(target=read, name=f"read-{host}", daemon=True)
        reader.start()
        return reader

    def _wait_until_over(self, limit_s: float) -> bool:
        """Returns whether the time limit ended the job."""
        with self._wake:
            in_time = self._wake.wait_for(lambda: self._stop or self._all_ended() or self._one_failed(), limit_s)
            if not self._all_ended():
                self._end_the_rest()
            return not in_time

    def _end_the_rest(self) -> None:
        deadline = time.monotonic() + self._grace_s
        for process in self._running():
            process.terminate()
        while not self._all_ended() and not self._killed and time.monotonic() < deadline:
            self._wake.wait(max(0.0, deadline - time.monotonic()))
        for process in self._running():
            _signal_session(process, signal.SIGKILL)
        self._wake.wait_for(self._all_ended, DRAIN_S)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [process for host, process in self._processes.items() if host not in self._exit_codes]

    def _all_ended(self) -> bool:
        return len(self._exit_codes) == len(self._processes)

    def _one_failed(self) -> bool:
        return any(self._exit_codes.values())


def _signal_session(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def container_exit_code(code: int) -> int:
    """The exit code as a container reports it: 128 + the signal's number for a killed process."""
    return 128 - code if code < 0 else code
