"""A Docker engine for the tests and measurements of docker compose: the machine's own, or one started for them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTER = ROOT.parent / "shared/tools/docker-engine"
"""Starts an engine, Compose with it, on a machine that has none and reaches no image registry."""
BASE_IMAGE = "python:3.12-slim-bookworm"
POSTGRES_IMAGE = "postgres:16"
START_LIMIT_S = 420
BUILD_LIMIT_S = 900


class NoEngine(Exception):
    """Why no Docker engine can be had here, in one line."""


@dataclass(frozen=True)
class Engine:
    """An engine that runs; `environment` points the docker client at it."""

    environment: dict[str, str]


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine while the block runs; one that was started here is ended, and what it changed undone.

    COMPOSE_TEST_ENGINE names the folder of an engine of STARTER that runs already and is to stay.

    Raises:
        NoEngine: there is none and none starts.
    """
    if running := os.environ.get("COMPOSE_TEST_ENGINE"):
        yield Engine(_client(Path(running)))
        return
    own = dict(os.environ)
    if (
        shutil.which("docker")
        and _succeeds("docker", "compose", "version", env=own)
        and _succeeds("docker", "info", env=own)
    ):
        yield Engine(own)
        return
    if not STARTER.is_file():
        raise NoEngine("no Docker engine runs here, and there is no ../shared/tools/docker-engine to start one")
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine runs here, and only root can start one")
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))  # short, for the path of a socket has 107 letters
    try:
        yield _start(folder)
    finally:
        subprocess.run([STARTER, "down", folder], capture_output=True, check=False, timeout=180)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> Engine:
    environment = {**os.environ, "BASE_TAGS": BASE_IMAGE}
    try:
        done = subprocess.run(
            [STARTER, "up", folder], env=environment, capture_output=True, text=True, check=False, timeout=START_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise NoEngine(f"a Docker engine did not start within {START_LIMIT_S} s") from None
    if done.returncode != 0:
        raise NoEngine(
            f"a Docker engine does not start: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    client = _client(folder)
    build = ["docker", "build", "--quiet", "--tag", POSTGRES_IMAGE, str(ROOT / "tests/compose/postgres")]
    subprocess.run(build, env=client, capture_output=True, check=True, timeout=BUILD_LIMIT_S)
    return Engine(client)


def _client(folder: Path) -> dict[str, str]:
    here = {"DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_CONFIG": str(folder / "cfg"), "DOCKER_BUILDKIT": "1"}
    return {**os.environ, **here}


def _succeeds(*command: str, env: dict[str, str]) -> bool:
    return subprocess.run(command, env=env, capture_output=True, check=False, timeout=60).returncode == 0
