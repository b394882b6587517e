"""Wheels of all that MWAA installs, for an environment whose network has no way to the internet.

MWAA unpacks `plugins.zip` before it installs the requirements, and pip takes the wheels from there. They are those of
the lock that the project is tested with, for the processor and the system of MWAA.
"""

import hashlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from include.deploy.release import pack_zip
from infra.package import content
from infra.package.content import Package

PLUGINS_FOLDER = "/usr/local/airflow/plugins"
"""Where MWAA unpacks plugins.zip."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""MWAA's image is Amazon Linux 2023 (glibc 2.34) on x86."""
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PIN = re.compile(r"^[\w.-]+==[^\\\n]+", re.MULTILINE)
"""A version in the lock, with the marker that says where it counts."""


class NoWheels(Exception):
    """The wheels could not be had; the message is one line that says why."""


def with_wheels(package: Package, wheels: Mapping[str, bytes]) -> Package:
    """The same package for an environment without the internet: pip takes the wheels from `plugins.zip` alone."""
    offline = f"--no-index\n--find-links {PLUGINS_FOLDER}\n".encode()
    added = {content.PLUGINS: pack_zip(wheels), content.REQUIREMENTS: offline + package.requirements}
    return replace(package, files=dict(sorted((package.files | added).items())))


def download_wheels(package: Package, lock: Path, uv: str) -> dict[str, bytes]:
    """Download the wheels of the package's requirements and of all that these need, by their file names.

    Args:
        lock: the lock of the Airflow environment; versions are its versions, and hashes are held against its hashes.
        uv: the command that runs pip.

    Raises:
        NoWheels: one cannot be downloaded, or is not the one that was locked.
    """
    text = lock.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        requirements, pins, target = (Path(folder) / name for name in ("requirements.txt", "pins.txt", "wheels"))
        requirements.write_bytes(package.requirements)
        pins.write_text("\n".join(PIN.findall(text)))
        platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
        command = [
            uv,
            "tool",
            "run",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
        ]
        command += [*platforms, "--python-version", package.python_version, "--dest", str(target)]
        command += ["--requirement", str(requirements), "--constraint", str(pins)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise NoWheels(f"uv is needed to download wheels: {error}") from error
        if done.returncode:
            raise NoWheels(f"the wheels could not be downloaded: {_last_line(done.stderr)}")
        return locked({path.name: path.read_bytes() for path in sorted(target.iterdir())}, text)


def locked(wheels: Mapping[str, bytes], lock: str) -> dict[str, bytes]:
    """The same wheels, each of which the lock knows by its hash.

    Raises:
        NoWheels: one is unknown to the lock.
    """
    known = frozenset(HASH.findall(lock))
    for name, body in wheels.items():
        if hashlib.sha256(body).hexdigest() not in known:
            raise NoWheels(f"{name} is not the file that was locked: run `make lock`, or look at where it came from")
    return dict(wheels)


def _last_line(text: str) -> str:
    errors = [line for line in text.splitlines() if line.startswith("ERROR")]
    return (errors or text.strip().splitlines() or ["pip says nothing"])[-1]
