"""Local AWS and Airflow in the background, as `make deploy ENV=local` keeps them.

A process of their own starts and supervises them; it is detached from the terminal and ends when it gets SIGTERM. What
runs stands in a file of the state folder, by which later commands find it again.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]

from infra.laptop import airflow_database, airflow_home, disk, ports, processes
from infra.laptop.options import ROOT, LaptopError, Options
from infra.laptop.state import exclusive
from infra.laptop.supervisor import Supervisor, end_leftovers

FILE = "background.json"
LOG = "background.log"
STARTS_WITHIN_S = 60
ENDS_WITHIN_S = 60


@dataclass(frozen=True)
class Background:
    """What runs in the background of a state folder."""

    pid: int
    born: float
    """When the process began, by the system's clock: a process id alone may have been given again."""
    source: str
    port_airflow: int
    port_aws: int
    has_airflow: bool

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.born) < 0.01
            return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


def find(state: Path) -> Background | None:
    """What runs in the background of a state folder now."""
    found = last(state)
    return found if found is not None and found.is_alive else None


def last(state: Path) -> Background | None:
    """What ran there last, whether or not it still does: the next start takes the same ports."""
    try:
        return Background(**json.loads((state / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def start(options: Options, *, with_airflow: bool = True) -> Background:
    """Start local AWS, and Airflow beside it, detached; returns once local AWS answers.

    Raises:
        LaptopError: a port is taken, another run uses the state folder, or local AWS did not come up.
    """
    disk.require_space(options.state)
    with exclusive(options.state):
        end_leftovers(options.processes_file)  # of one that was killed: they hold its ports
        ports.require_free({"--port-aws": options.port_aws, "--port-airflow": options.port_airflow})
    options.logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "infra.laptop", "serve", "--source", options.source, "--state", str(options.state)]
    command += ["--port-airflow", str(options.port_airflow), "--port-aws", str(options.port_aws)]
    command += [] if with_airflow else ["--without-airflow"]
    log = options.logs / LOG
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        found = find(options.state)
        if found is not None and found.pid == process.pid and ports.answers(options.port_aws):
            return found
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()  # it ends what it started
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN_S)
            process.kill()
            end_leftovers(options.processes_file)
            raise LaptopError(f"Local AWS did not start: {_last_line(log)} (log: {log})")
        time.sleep(0.1)


def stop(state: Path) -> list[str]:
    """End what runs in the background; the names of what was ended."""
    found = find(state)
    if found is None:  # it may have been killed, and what it started lives on
        return end_leftovers(state / "processes.json")
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(found.pid)
        process.terminate()
        with suppress(psutil.TimeoutExpired):
            process.wait(ENDS_WITHIN_S)
        if process.is_running():
            process.kill()
    end_leftovers(state / "processes.json")
    return ["local AWS and Airflow" if found.has_airflow else "local AWS"]


def serve(options: Options, *, with_airflow: bool) -> int:
    """Be that process: start everything, stay until SIGTERM, end everything; the exit code."""
    with exclusive(options.state):
        ended = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ended.set()

        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, end)
        end_leftovers(options.processes_file)
        environment = environment_of(options, os.environ)
        supervisor = Supervisor(options.processes_file, options.logs, _log)
        try:
            supervisor.start(processes.local_aws(options, environment))
            _keep(options, has_airflow=with_airflow)
            if with_airflow:
                airflow_database.make_database(options, environment)
                processes.start_airflow(supervisor, options, environment)
            ended.wait()
        finally:
            supervisor.stop()
    return 0


def environment_of(options: Options, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the processes: what the package's startup script exports, over the laptop's own."""
    exported = exported_variables(options.startup_script) if options.startup_script.exists() else {}
    own = airflow_home.environment(options, datetime.now(UTC).date(), {**inherited, **exported})
    given = {"GFF_SOURCE": options.source} if options.source else {}
    return own | exported | given


def exported_variables(script: Path) -> dict[str, str]:
    """What a startup script exports, found by running it, as MWAA does.

    Raises:
        LaptopError: the script failed.
    """
    command = ["sh", "-c", 'set -e; . "$1"; env -0', "sh", str(script.resolve())]
    done = subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise LaptopError(f"the startup script failed: {done.stderr.strip()}")
    pairs = (line.partition("=") for line in done.stdout.split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("GFF_")}


def _keep(options: Options, *, has_airflow: bool) -> None:
    born = psutil.Process().create_time()
    kept = Background(os.getpid(), born, options.source, options.port_airflow, options.port_aws, has_airflow)
    whole = options.state / f"{FILE}.new"
    whole.write_text(json.dumps(asdict(kept)))
    whole.replace(options.state / FILE)


def _log(line: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", flush=True)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
