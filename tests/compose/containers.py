"""The containers of a copy of this checkout, as `docker compose` starts them for a user."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from infra.laptop.ports import free_port
from tests.compose.engine import BUILD_LIMIT_S, ROOT, Engine

LASTING = (
    "postgres",
    "local-aws",
    "airflow-api-server",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-scheduler",
)
COMMAND_LIMIT_S = 120
HEALTHY_LIMIT_S = 420
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""What Compose sends to a terminal, and to a pipe as well."""


@dataclass(frozen=True)
class Forecast:
    """What the API answers for an athlete."""

    status: int
    document: dict[str, Any]


def copy_checkout(target: Path) -> None:
    """Copy what git knows and what is new in this checkout, as a clone would have it."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


class Containers:
    """`docker compose` in a folder, on ports of its own."""

    def __init__(self, engine: Engine, folder: Path, source: str) -> None:
        self.folder = folder
        self.port_airflow, self.port_aws = free_port(), free_port()
        self._environment = {
            **engine.environment,
            "COMPOSE_PROJECT_NAME": "forecast-test",
            "AIRFLOW_PORT": str(self.port_airflow),
            "AWS_PORT": str(self.port_aws),
            "SOURCE": source,
        }

    def compose(self, *arguments: str, limit_s: float = COMMAND_LIMIT_S) -> str:
        """Run a command of docker compose; its standard output. Fails with what it said."""
        return self._run("docker", "compose", "--ansi=never", *arguments, limit_s=limit_s)

    def build(self) -> None:
        """Build the image."""
        self.compose("build", "--quiet", limit_s=BUILD_LIMIT_S)

    def up(self) -> float:
        """Start all; the seconds until everything that stays was healthy. The first runs go on after that."""
        started = time.monotonic()
        self.compose("up", "--detach", *LASTING, limit_s=HEALTHY_LIMIT_S)
        self.wait_until(lambda: self.unhealthy() == [], "everything healthy", HEALTHY_LIMIT_S)
        return time.monotonic() - started

    def provision(self, limit_s: float) -> str:
        """Start the provisioning service and wait for its end; what it said."""
        self.compose("up", "--detach", limit_s=HEALTHY_LIMIT_S)
        container = self._container("provision")
        try:
            code = self._run("docker", "wait", container, limit_s=limit_s).strip()
        finally:
            said = self.logs("provision")
        assert code == "0", said
        return said

    def down(self, *arguments: str) -> None:
        """Delete the containers; the volumes stay unless `--volumes` is given."""
        self.compose("down", "--timeout=20", *arguments)

    def logs(self, service: str) -> str:
        """What a service said."""
        return CONTROL.sub("", self.compose("logs", "--no-log-prefix", service))

    def unhealthy(self) -> list[str]:
        """Services that should stay and are not healthy now."""
        return [name for name in LASTING if self.state(name).get("Health", {}).get("Status") != "healthy"]

    def state(self, service: str) -> dict[str, Any]:
        """Docker's state of the container of a service; {} where there is none."""
        container = self._container(service)
        return json.loads(self._run("docker", "inspect", "--format={{json .State}}", container)) if container else {}

    def kill(self, service: str) -> None:
        """Kill what a container runs, as the kernel does; `docker kill` would keep Docker from starting it again."""
        before = self.state(service)
        os.kill(before["Pid"], signal.SIGKILL)
        self.wait_until(lambda: self.state(service)["StartedAt"] != before["StartedAt"], f"{service} again", 60)

    def execute(self, service: str, *command: str) -> str:
        """Run a command in the container of a service."""
        return self.compose("exec", "-T", service, *command).strip()

    def published(self) -> dict[str, list[str]]:
        """Where each service is reached from this machine: addresses with ports."""
        found = {}
        for service in LASTING:
            text = self._run("docker", "inspect", "--format={{json .NetworkSettings.Ports}}", self._container(service))
            bound = [b for bindings in json.loads(text).values() for b in bindings or []]
            found[service] = [f"{b['HostIp']}:{b['HostPort']}" for b in bound]
        return found

    def airflow(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET from Airflow's REST API, or POST where there is a body."""
        url = f"http://127.0.0.1:{self.port_airflow}"
        token = httpx.get(f"{url}/auth/token", timeout=30).json()["access_token"]
        method = "GET" if body is None else "POST"
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{url}/api/v2{path}", headers=headers, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def trigger(self, dag_id: str) -> str:
        """Start a run by hand; its id."""
        return str(self.airflow(f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"])

    def ended(self, dag_id: str, run_id: str) -> str:
        """The final state of a run; empty while it has none, or while nobody answers."""
        try:
            state = self.airflow(f"/dags/{dag_id}/dagRuns/{quote(run_id)}")["state"]
        except httpx.HTTPError:
            return ""
        return str(state) if state in ("success", "failed") else ""

    def forecast(self, said: str, athlete_id: str) -> Forecast:
        """Ask as the line that `provision` printed says."""
        key, address = re.findall(r'curl -H "x-api-key: (\S+)" "(\S+)/athletes/', said)[-1]
        answer = httpx.get(f"{address}/athletes/{athlete_id}/forecast", headers={"x-api-key": key}, timeout=60)
        return Forecast(answer.status_code, answer.json())

    def wait_until(self, condition: Callable[[], Any], what: str, limit_s: float) -> Any:
        """The first true value of `condition`; fails when time is up."""
        deadline = time.monotonic() + limit_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"no {what} within {limit_s:.0f} s; not healthy: {self.unhealthy()}"
            time.sleep(0.5)
        return value

    def _container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def _run(self, *command: str, limit_s: float = COMMAND_LIMIT_S) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout
