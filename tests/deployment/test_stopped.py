"""A deployment that was stopped, or failed, at any step leaves what served serving, and is finished by another one."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from include.deploy import release
from include.deploy.stack import StackFailed
from include.settings import settings
from infra.deployment import upload
from infra.deployment.addresses import Addresses, Urls, find_addresses
from infra.deployment.home import dags_of
from infra.deployment.parts import parts_of
from infra.package import Package, build_package
from tests.deployment.homes import ROOT, deploy, planner, variant
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(300)

STEPS = {
    "the plan is made": ("CreateChangeSet", 1),
    "half of the release is uploaded": ("PutObject", 20),
    "the serving stack is being updated": ("ExecuteChangeSet", 1),
    "the release is the current one": ("PutObject", -2),
    "the changed DAG is uploaded": ("PutObject", -1),
    "the surplus DAG is deleted": ("DeleteObjects", 1),
}
"""The call after which a deployment is killed; PutObject is counted from its end where it is negative."""


@pytest.fixture(scope="module")
def base() -> Package:
    return build_package()


@pytest.fixture(scope="module")
def deployed(localaws: LocalAws, base: Package) -> Iterator[Addresses]:
    """Version 1 is deployed and answers."""
    deploy(localaws.url, variant(1, base))
    found = find_addresses(localaws.client, settings(), Urls("", localaws.url))
    assert found is not None
    yield found


def is_answering(addresses: Addresses) -> bool:
    """Whether the API answers those who ask with the key that they were given."""
    key = {"x-api-key": addresses.api_key}
    paths = ("", "health", "athletes")
    return all(httpx.get(f"{addresses.api}/{path}", headers=key, timeout=30).status_code == 200 for path in paths)


def is_whole(localaws: LocalAws, package: Package) -> bool:
    """Whether everything of a package is deployed, and nothing else."""
    s3 = localaws.client("s3")
    dags = upload.plan_objects(s3, settings().bucket, upload.DAGS_PREFIX, dags_of(package))
    found = planner(localaws.url, package)
    plan = found.plan(parts_of(found.home.environment))
    return dags.is_empty and plan.is_empty and release.current_release(s3, settings().bucket) == package.version


def code_prefix(localaws: LocalAws) -> str:
    """The release that the functions run."""
    stack: Any = localaws.client("cloudformation").describe_stacks(StackName=settings().stack("serving"))["Stacks"][0]
    return next(str(item["OutputValue"]) for item in stack["Outputs"] if item["OutputKey"] == "CodePrefix")


@pytest.mark.parametrize("step", STEPS)
def test_a_deployment_killed_when(localaws: LocalAws, deployed: Addresses, base: Package, step: str) -> None:
    deploy(localaws.url, variant(1, base))
    number = 10 + list(STEPS).index(step)
    wanted = variant(number, base)
    operation, count = STEPS[step]
    if count < 0:  # the release with its marker, which version is current, the DAG
        count += len(wanted.release.files) + 4
    command = [sys.executable, "-m", "tests.deployment.homes", localaws.url, str(number), operation, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert is_answering(deployed)
    deploy(localaws.url, wanted)
    assert is_whole(localaws, wanted)
    assert is_answering(deployed)


def test_a_failed_stack_leaves_the_old_release_serving_and_current(
    localaws: LocalAws, deployed: Addresses, base: Package
) -> None:
    deploy(localaws.url, variant(1, base))
    good = variant(3, base)
    without_code = replace(good, files={name: b for name, b in good.files.items() if name != "release/lambda.zip"})
    with pytest.raises(StackFailed, match="serving"):
        deploy(localaws.url, without_code)
    assert is_answering(deployed)
    assert code_prefix(localaws).endswith(f"{1:016x}/")
    assert release.current_release(localaws.client("s3"), settings().bucket) == f"{1:016x}"
    deploy(localaws.url, variant(4, base))
    assert is_whole(localaws, variant(4, base))
