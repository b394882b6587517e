"""A home without an Airflow: what a deployment does to stacks and bucket, on a local AWS that runs already."""

import io
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.client

from include.deploy.following import Progress as Say
from infra.deployment.addresses import Urls
from infra.deployment.applying import Applier
from infra.deployment.environment import read_environment
from infra.deployment.flow import callers_of
from infra.deployment.home import Home, adopt
from infra.deployment.parts import parts_of
from infra.deployment.planning import Planner
from infra.deployment.progress import Progress
from infra.package import Package, build_package

ROOT = Path(__file__).parents[2]
SHARED_DAG = "mwaa/dags/dags/athlete_tasks.py"
OLD_DAG = "mwaa/dags/dags/old.py"


class BucketHome(Home):
    """Local AWS at a URL; the bucket is read by nobody."""

    def __init__(self, url: str) -> None:
        super().__init__(read_environment("local"))
        self.reads_bucket = True
        self._url = url

    @property
    def urls(self) -> Urls:
        return Urls("http://127.0.0.1:9", self._url)

    def open(self, package: Package | None, say: Say) -> None:
        adopt(self.environment.variables())

    def start(self, say: Say) -> None:
        raise NotImplementedError

    def stop(self, say: Say) -> None:
        raise NotImplementedError


def variant(number: int, base: Package | None = None) -> Package:
    """The package of this checkout as another version: each changes what Lambdas run, and a DAG; version 1 has one more."""
    base = base or build_package()
    files = dict(base.files)
    files[SHARED_DAG] += f"\n# version {number}\n".encode()
    if number == 1:
        files[OLD_DAG] = b"# gone in the next version\n"
    return replace(base, version=f"{number:016x}", files=files)


def planner(url: str, package: Package) -> Planner:
    """A planner of a package, in an open home."""
    home = BucketHome(url)
    home.open(package, print)
    return Planner(home, package, callers_of(home))


def deploy(url: str, package: Package) -> None:
    """Plan and apply, without asking."""
    found = planner(url, package)
    Applier(found, Progress(sys.stdout)).apply(found.plan(parts_of(found.home.environment)))


def quiet() -> Progress:
    """Progress that nobody reads."""
    return Progress(io.StringIO())


def die_at(operation: str, count: int) -> None:
    """Let this process be killed once AWS has answered the nth call of an operation."""
    calls = 0
    original = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, arguments: Any) -> Any:
        nonlocal calls
        answer = original(self, name, arguments)
        calls += name == operation
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    botocore.client.BaseClient._make_api_call = call  # type: ignore[method-assign]


if __name__ == "__main__":
    _, given_url, given_number, given_operation, given_count = sys.argv
    made = variant(int(given_number))
    die_at(given_operation, int(given_count))
    deploy(given_url, made)
