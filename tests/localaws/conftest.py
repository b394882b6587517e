"""A real local AWS, a process of its own on a free port, for a test module."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).parents[2]
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"local AWS ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("local AWS did not come up")


class LocalAws:
    """A running server and boto3 clients for it."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "infra.localaws", "--port", str(self.port), "--state", str(self.state)]
        self.process = subprocess.Popen([*command, "--jobs-python", str(JOBS_PYTHON), *self.options], cwd=ROOT)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(15)

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            **config,
        )


@pytest.fixture(scope="module")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("localaws"))
    server.start()
    yield server
    server.stop()
