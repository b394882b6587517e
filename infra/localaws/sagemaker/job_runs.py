"""What training and processing share: the jobs that run now, their logs, and their end."""

import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from infra.localaws import logs
from infra.localaws.sagemaker import opt_ml
from infra.localaws.sagemaker.processes import ProcessGroup
from infra.localaws.world import World, log


class JobLog:
    """The CloudWatch streams of a job: `{job}/{host}-{epoch}`."""

    def __init__(self, group: str, job: str, started_at_s: int) -> None:
        self.group = group
        self._job = job
        self._epoch_s = started_at_s
        self.is_allowed = True
        """Whether the job's role may log; what a job may not log is lost."""

    def stream(self, host: str) -> str:
        """The stream of one host."""
        return f"{self._job}/{host}-{self._epoch_s}"

    def write(self, host: str, line: str) -> None:
        if self.is_allowed:
            logs.write(self.group, self.stream(host), [line])


class Runs:
    """The running jobs of one kind, by name. They live here, never in moto's backends, which are kept on disk."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self._kind = kind
        self._lock = threading.Lock()
        self._running: dict[str, ProcessGroup] = {}

    def begin(self, name: str, body: Callable[[ProcessGroup, Path], None]) -> None:
        """Run `body(processes, scratch folder)` in a thread of its own; the folder is removed when it returns."""
        processes = ProcessGroup()
        with self._lock:
            self._running[name] = processes
        threading.Thread(target=self._run, args=(name, processes, body), name=f"{self._kind}-{name}").start()

    def get(self, name: str) -> ProcessGroup | None:
        with self._lock:
            return self._running.get(name)

    def end_all(self, patience_s: float = 5.0) -> None:
        """Kill every job's processes: local AWS stops."""
        with self._lock:
            running = list(self._running.values())
        for processes in running:
            processes.kill()
        deadline = time.monotonic() + patience_s
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)

    def _run(self, name: str, processes: ProcessGroup, body: Callable[[ProcessGroup, Path], None]) -> None:
        scratch = self.world.work_dir / self._kind / name
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir(parents=True)
            body(processes, scratch)
        except Exception:
            log.exception("the %s job %s broke local AWS", self._kind, name)
        finally:
            with self._lock:
                self._running.pop(name, None)
            shutil.rmtree(scratch, ignore_errors=True)
            self.world.mark_changed()


def host_names(count: int) -> tuple[str, ...]:
    return tuple(f"algo-{number}" for number in range(1, count + 1))


def warn(job_log: JobLog, hosts: tuple[str, ...], *, wants_isolation: bool) -> None:
    """Say in the log of every host what its container lacks on this machine."""
    for line in opt_ml.warnings(wants_isolation=wants_isolation):
        for host in hosts:
            job_log.write(host, line)


def log_signal(job_log: JobLog, host: str, exit_code: int) -> None:
    """Say in the log which signal ended a process: SageMaker's failure reason has its exit code alone."""
    if exit_code < 0:
        job_log.write(host, f"local AWS: the process of {host} was killed by {signal.Signals(-exit_code).name}")


def read_message(path: Path) -> str:
    """A message file that the container may have left (`failure`, `message`), at most 1024 characters."""
    try:
        return path.read_text("utf-8", "replace").strip()[:1024]
    except OSError:
        return ""
