"""`make compose` before it starts anything: what would stop the containers, in one line that says what to do.

Runs on the machine itself, with whatever Python 3 is there: the standard library alone.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_NEEDED = (2, 20, 2)
"""The first version that knows `attach` and `required` of a dependency."""
MEMORY_NEEDED_GIB = 4
PORTS = {"AIRFLOW_PORT": 8080, "AWS_PORT": 4566}


class Stopped(Exception):
    """What stands in the way; one line that says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Check, then become `docker compose ARGUMENTS`."""
    try:
        require_docker()
        require_compose(_output("docker", "compose", "version", "--short"))
        require_values()
        if "up" in arguments:
            require_memory(_output("docker", "info", "--format", "{{.MemTotal}}"))
            _require_ports()
    except Stopped as problem:
        print(problem, file=sys.stderr)
        return 1
    os.execvp("docker", ["docker", "compose", *arguments])  # noqa: S606 - no shell is wanted


def _require_ports() -> None:
    if _output("docker", "compose", "ps", "--quiet"):
        return  # it is ours that has them
    for name, default in PORTS.items():
        require_port(name, port(name, default, os.environ, ROOT / ".env"))


def require_docker() -> None:
    """Check that Docker is installed and answers.

    Raises:
        Stopped: it does not.
    """
    if shutil.which("docker") is None:
        raise Stopped("Docker is not installed: https://docs.docker.com/get-docker/ says how. `make run` needs none.")
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        raise Stopped(f"Docker does not answer ({reason}): start it, or see whether you may use it.")


def require_compose(version: str) -> None:
    """Check the version of Docker Compose.

    Raises:
        Stopped: it is too old, or not there.
    """
    needed = ".".join(map(str, COMPOSE_NEEDED))
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        raise Stopped(f"Docker has no `docker compose`: install Docker Compose {needed} or newer.")
    if tuple(map(int, found.groups())) < COMPOSE_NEEDED:
        raise Stopped(f"Docker Compose is {version} and {needed} or newer is needed: bring Docker up to date.")


def require_memory(total: str) -> None:
    """Check the memory that Docker has, in bytes.

    Raises:
        Stopped: it is too little.
    """
    if total.isdigit() and int(total) < MEMORY_NEEDED_GIB * 2**30:
        raise Stopped(
            f"Docker has {int(total) / 2**30:.1f} GiB of memory and {MEMORY_NEEDED_GIB} GiB are needed: give it more "
            "(Docker Desktop: Settings, Resources)."
        )


def require_values() -> None:
    """Check that docker-compose.yaml and .env fit together.

    Raises:
        Stopped: a value is missing, or wrong.
    """
    asked = subprocess.run(
        ["docker", "compose", "config", "--quiet"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if asked.returncode != 0:
        raise Stopped((asked.stderr.strip().splitlines() or ["docker-compose.yaml cannot be read"])[-1])


def require_port(name: str, number: int) -> None:
    """Check that a port of 127.0.0.1 is free.

    Raises:
        Stopped: another program has it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            other = number + 1000
            raise Stopped(
                f"Port {number} of 127.0.0.1 is taken by another program: end that one, or write {name}={other} into "
                ".env."
            ) from None


def port(name: str, default: int, environment: Mapping[str, str], dotenv: Path) -> int:
    """The port that `name` chooses: in the environment, else in .env, else the default.

    Raises:
        Stopped: it is no number of a port.
    """
    text = environment.get(name) or _dotenv_value(name, dotenv) or str(default)
    if not text.isdigit() or not 0 < int(text) < 2**16:
        raise Stopped(f"{name}={text} is no port: write a number from 1 to 65535 into .env.")
    return int(text)


def _dotenv_value(name: str, dotenv: Path) -> str:
    if not dotenv.is_file():
        return ""
    found = re.findall(rf"^\s*{name}\s*=\s*[\"']?([^\"'#\s]*)", dotenv.read_text(), re.MULTILINE)
    return str(found[-1]) if found else ""


def _output(*command: str) -> str:
    asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return asked.stdout.strip() if asked.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
