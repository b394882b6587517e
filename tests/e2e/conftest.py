"""A whole deployment, started as `make run` starts it, on a state and ports of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from include.settings import settings
from infra.deployment.airflow_api import TaskState
from infra.deployment.airflow_http import airflow_at
from infra.laptop.ports import free_port

ROOT = Path(__file__).parents[2]
SOURCE = "synthetic:athletes=3,years=2,seed=7"


class Laptop:
    """A running `python -m infra.laptop run`."""

    def __init__(self, state: Path, source: str = SOURCE) -> None:
        self.state = state
        self.provoked: set[tuple[str, str]] = set()
        """Role and action of calls that a test has denied on purpose."""
        self.port_aws, self.port_airflow = free_port(), free_port()
        self.lines: list[str] = []
        command = [sys.executable, "-m", "infra.laptop", "run", "--source", source, "--state", str(state)]
        ports = ["--port-aws", str(self.port_aws), "--port-airflow", str(self.port_airflow)]
        self.process = subprocess.Popen(
            [*command, *ports], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = 300) -> Any:
        """The first true value of `condition`; fails with the output when the deployment ends or time is up."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert self.process.poll() is None, f"ended while waiting for {what}:\n{self.output}"
            assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} s:\n{self.output}"
            time.sleep(0.1)
        return value

    def wait_for(self, text: str, seconds: float = 300) -> None:
        self.wait_until(lambda: text in self.output, text, seconds)

    def pid(self, component: str) -> int:
        kept = json.loads((self.state / "processes.json").read_text())
        return next(int(row["pid"]) for row in kept if row["name"] == component)

    def kill(self, component: str) -> None:
        os.kill(self.pid(component), signal.SIGKILL)

    def job(self, words: str) -> psutil.Process | None:
        """The process of a SageMaker job that runs now, by words of its command line."""
        if not (self.state / "processes.json").exists():
            return None  # nothing is started yet
        for process in psutil.Process(self.pid("local-aws")).children(recursive=True):
            try:
                if words in " ".join(process.cmdline()) and not process.children():
                    return process
            except psutil.Error:
                continue
        return None

    def run_dag(self, dag_id: str, **conf: Any) -> tuple[str, str]:
        """Trigger a DAG by hand and follow it to its end: the run's state, and what its failed tasks logged."""
        airflow = airflow_at(f"http://127.0.0.1:{self.port_airflow}")
        airflow.unpause(dag_id)
        run_id = airflow.trigger(dag_id, conf)
        state = airflow.follow(dag_id, run_id, 300, lambda _: None)
        failed = [task for task in airflow.tasks(dag_id, run_id) if task.state == "failed"]
        return state, "\n".join(line for task in failed for line in airflow.log_tail(dag_id, run_id, task))

    def runs_task(self, dag_id: str, task_id: str) -> bool:
        """Whether a task of the newest run of a DAG is at work now."""
        if f"{dag_id} …" not in self.output:
            return False  # Airflow is still coming up
        airflow = airflow_at(f"http://127.0.0.1:{self.port_airflow}")
        runs = airflow.runs(dag_id)
        tasks = airflow.tasks(dag_id, runs[0].run_id) if runs else []
        return any(task.task_id == task_id and task.state == "running" for task in tasks)

    def failed_tasks(self, dag_id: str) -> list[TaskState]:
        """The failed tasks of the newest run of a DAG, each with the number of its last try."""
        airflow = airflow_at(f"http://127.0.0.1:{self.port_airflow}")
        run_id = airflow.runs(dag_id)[0].run_id
        return [task for task in airflow.tasks(dag_id, run_id) if task.state == "failed"]

    def links(self, dag_id: str, task_id: str) -> dict[str, str]:
        """The links that the Airflow UI shows with a task of the newest run of a DAG."""
        url = f"http://127.0.0.1:{self.port_airflow}"
        run_id = airflow_at(url).runs(dag_id)[0].run_id
        token = httpx.get(f"{url}/auth/token").json()["access_token"]
        answer = httpx.get(
            f"{url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links",
            headers={"Authorization": f"Bearer {token}"},
        )
        answer.raise_for_status()
        return dict(answer.json()["extra_links"])

    def client(self, service: str) -> Any:
        """A boto3 client of the account's administrator."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=f"http://127.0.0.1:{self.port_aws}",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m infra.deploy` as the person who deploys, with the credentials of the deployer's role."""
        role = f"arn:aws:iam::{settings().account_id}:role/{settings().project}-deployer"
        session = self.client("sts").assume_role(RoleArn=role, RoleSessionName="e2e")["Credentials"]
        own = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port_aws}",
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }
        command = [sys.executable, "-m", "infra.deploy", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False, timeout=120
        )

    def expect_no_denied_calls(self) -> None:
        """Of a deployment that has ended: its roles were denied nothing but what a test took away from them."""
        denied = json.loads((self.state / "aws/iam-calls.json").read_text())["denied"]
        assert [call for call in denied if (call["role"], call["action"]) not in self.provoked] == []

    def stop(self) -> list[int]:
        """End it as Ctrl-C does; ids of processes that it left behind."""
        started = [row["pid"] for row in json.loads((self.state / "processes.json").read_text())]
        children = [
            child.pid for pid in started if psutil.pid_exists(pid) for child in psutil.Process(pid).children(True)
        ]
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return [pid for pid in (*started, *children) if psutil.pid_exists(pid)]

    def terminate(self) -> None:
        """End it where it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(90)


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    running = Laptop(tmp_path / "state")
    yield running
    running.terminate()
    running.expect_no_denied_calls()
