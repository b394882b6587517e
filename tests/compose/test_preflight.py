"""`make compose` says in one line what stands in the way."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.compose import preflight

ROOT = Path(__file__).parents[2]
DOCKER = """#!/bin/sh
case "$*" in
info) [ -z "$NO_DAEMON" ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; } ;;
"info --format"*) echo "${MEMORY:-8000000000}" ;;
"compose version --short") [ -z "$NO_COMPOSE" ] || exit 1; echo "${COMPOSE:-2.26.1}" ;;
"compose config --quiet") [ -z "$MISSING" ] || { echo "warning: x" >&2; echo "required variable $MISSING" >&2; exit 1; } ;;
"compose ps --quiet") echo "$RUNNING" ;;
"compose up" | "compose down"*) echo "became: docker $*" ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A folder with a `docker` that answers as the environment says."""
    client = tmp_path / "docker"
    client.write_text(DOCKER)
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    free = {"AIRFLOW_PORT": str(free_port()), "AWS_PORT": str(free_port())}
    environment = {"PATH": f"{folder}{os.pathsep}/usr/bin:/bin", **free, **variables}
    script = [sys.executable, str(ROOT / "infra/compose/preflight.py"), *(arguments or ("up",))]
    return subprocess.run(script, env=environment, capture_output=True, text=True, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_where_all_is_well_it_becomes_docker_compose(docker: Path) -> None:
    done = run(docker)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "became: docker compose up", "")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"NO_DAEMON": "1"}, ["does not answer", "Cannot connect", "start it"]),
        ({"NO_COMPOSE": "1"}, ["no `docker compose`", "install", "2.20.2"]),
        ({"COMPOSE": "2.17.3"}, ["2.17.3", "2.20.2 or newer"]),
        ({"COMPOSE": "1.29.2"}, ["1.29.2", "2.20.2 or newer"]),
        ({"MEMORY": "2000000000"}, ["1.9 GiB", "4 GiB", "give it more"]),
        ({"MISSING": "GFF_ACCOUNT_ID"}, ["required variable GFF_ACCOUNT_ID"]),
        ({"AIRFLOW_PORT": "http"}, ["AIRFLOW_PORT=http", ".env"]),
    ],
)
def test_what_stands_in_the_way_is_one_line(docker: Path, variables: dict[str, str], words: list[str]) -> None:
    done = run(docker, **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words)


def test_no_docker_is_one_line_that_names_what_needs_none(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path)}
    script = [sys.executable, str(ROOT / "infra/compose/preflight.py"), "up"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "not installed" in done.stderr
    assert "make run" in done.stderr


def test_a_taken_port_names_the_variable_that_changes_it(docker: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        taken = run(docker, AWS_PORT=port)
        own = run(docker, AWS_PORT=port, RUNNING="5f3a")
        down = run(docker, "down", AWS_PORT=port)
    assert taken.returncode == 1
    assert f"Port {port}" in taken.stderr
    assert "AWS_PORT=" in taken.stderr
    assert own.returncode == 0, "the containers that run already have it"
    assert down.returncode == 0, "what ends needs no port"


def test_a_port_is_read_from_the_environment_then_from_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    assert preflight.port("AWS_PORT", 4566, {}, dotenv) == 4566
    dotenv.write_text("# AWS_PORT=1\nAWS_PORT = '5000' # mine\n")
    assert preflight.port("AWS_PORT", 4566, {}, dotenv) == 5000
    assert preflight.port("AWS_PORT", 4566, {"AWS_PORT": "6000"}, dotenv) == 6000
    with pytest.raises(preflight.Stopped, match="AWS_PORT=70000"):
        preflight.port("AWS_PORT", 4566, {"AWS_PORT": "70000"}, dotenv)
