"""What the locks pin, and where: the versions of MWAA and of the container on Linux, and one version everywhere else."""

import re
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("airflow", "compose", "jobs", "release", "checkov")
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
PLATFORMS = {
    "linux-x86": LINUX,
    "linux-arm": LINUX | {"platform_machine": "aarch64"},
    "mac-x86": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "x86_64"},
    "mac-arm": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
MACS_OWN = {"mac-x86": {"lazy-object-proxy"}, "mac-arm": set()}
"""Packages that MWAA's version has no wheel for."""
PYTHON_3_12 = {"python_version": "3.12", "python_full_version": "3.12.1", "implementation_name": "cpython"}
PYTHON_3_12 |= {"platform_python_implementation": "CPython"}


def text(lock: str) -> str:
    return (ROOT / f"locks/{lock}.txt").read_text()


@cache
def requirements(lock: str) -> list[Requirement]:
    return [Requirement(line.rstrip("\\ ")) for line in text(lock).splitlines() if re.match(r"[A-Za-z0-9]", line)]


def pins(lock: str, platform: str) -> dict[str, str]:
    """Version by package of what is installed on a platform."""
    found: dict[str, str] = {}
    for requirement in requirements(lock):
        if requirement.marker is None or requirement.marker.evaluate(PYTHON_3_12 | PLATFORMS[platform]):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is pinned twice for {platform}"
            found[name] = str(requirement.specifier).removeprefix("==")
    return found


def constraints(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text().splitlines()
    parts = [line.split("==") for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return {canonicalize_name(name): version.strip() for name, version in parts}


MWAA = "infra/mwaa/constraints-3.2.1-python3.12.txt"
IMAGE = "include/jobs/image-constraints.txt"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("lock", "path"), [("airflow", MWAA), ("compose", MWAA), ("jobs", IMAGE)])
def test_what_aws_names_has_its_version(lock: str, path: str, platform: str) -> None:
    named = constraints(path)
    differing = {n for n, version in pins(lock, platform).items() if n in named and version != named[n]}
    assert differing <= MACS_OWN.get(platform, set()), "MWAA and the image run other versions"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_containers_run_the_versions_of_the_laptop(platform: str) -> None:
    compose, laptop = pins("compose", platform), pins("airflow", platform)
    own = {"asyncpg", "psycopg2-binary"}
    assert {n: v for n, v in compose.items() if n not in own} == {n: laptop[n] for n in compose if n not in own}
    assert own < set(compose)


@pytest.mark.parametrize("tool", ["pytest", "mypy", "ruff", "hypothesis", "playwright", "import-linter"])
def test_no_checks_and_tests_in_the_containers(tool: str) -> None:
    assert tool in pins("airflow", "linux-x86")
    assert tool not in pins("compose", "linux-x86")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_has_one_xgboost_of_the_images_version(platform: str) -> None:
    found = {n: v for n, v in pins("jobs", platform).items() if n.startswith("xgboost")}
    name = "xgboost-cpu" if platform.startswith("linux") else "xgboost"
    assert found == {name: constraints(IMAGE)["xgboost"]}
    assert not [n for n in pins("jobs", platform) if n.startswith("nvidia")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", text(lock))
    assert len(entries) == len(requirements(lock)) > 0
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert all(re.fullmatch(r"==[^,*]+", str(r.specifier)) for r in requirements(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_package_index_or_a_folder(lock: str) -> None:
    assert not re.search(r"://|--(index|extra-index|find-links)|(^|\s)/(?!\w*/\.\.)", text(lock))


def test_the_overrides_repeat_mwaas_version_wherever_it_has_a_wheel() -> None:
    named = constraints(MWAA)
    lines = [Requirement(x) for x in (ROOT / "locks/overrides.in").read_text().splitlines() if not x.startswith("#")]
    assert lines
    for line in lines:
        assert line.marker is not None
        if line.marker.evaluate(PYTHON_3_12 | LINUX):
            assert str(line.specifier) == f"=={named[canonicalize_name(line.name)]}"
