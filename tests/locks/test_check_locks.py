"""infra/check_locks.sh: a lock that does not hold is named with its platform, and no network is no fault."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    (tmp_path / "infra").mkdir()
    (tmp_path / ".venvs").mkdir()
    shutil.copy(ROOT / "infra/check_locks.sh", tmp_path / "infra")
    return tmp_path


def check(clone: Path, uv: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the check with a uv that keeps its calls in the file `calls`."""
    path = clone / "bin/uv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "$*" >>{clone}/calls\n{uv}\n')
    path.chmod(0o755)
    environment = {**os.environ, "PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = ["sh", "infra/check_locks.sh", *arguments]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=60, check=False)


def calls(clone: Path) -> list[str]:
    return (clone / "calls").read_text().splitlines()


def test_every_lock_is_tried_on_every_platform_from_wheels_and_by_hash(clone: Path) -> None:
    done = check(clone, "exit 0")
    assert (done.returncode, done.stdout) == (0, "locks: 5 locks hold for 4 platforms\n")
    tried = calls(clone)
    assert len(tried) == 20
    assert all("--only-binary :all: --require-hashes" in call and "--dry-run" in call for call in tried)
    for lock in (ROOT / "locks").glob("*.txt"):
        assert sum(call.endswith(f"locks/{lock.name}") for call in tried) == 4, f"{lock.name} is not checked"


def test_unchanged_locks_are_not_tried_again_unless_asked_for(clone: Path) -> None:
    check(clone, "exit 0")
    assert "unchanged" in check(clone, "exit 1").stdout
    assert len(calls(clone)) == 20
    check(clone, "exit 0", "--again")
    assert len(calls(clone)) == 40
    with (clone / "locks/jobs.txt").open("a") as lock:
        lock.write("# changed\n")
    check(clone, "exit 0")
    assert len(calls(clone)) == 60


def test_a_lock_that_does_not_hold_is_named_with_its_platform_and_tried_again(clone: Path) -> None:
    uv = 'case "$*" in *x86_64-apple-darwin*jobs.txt) echo "xgboost-cpu has no usable wheels"; exit 1 ;; esac'
    for _ in range(2):
        done = check(clone, uv)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "locks/jobs.txt cannot be installed on x86_64-apple-darwin:",
            "    xgboost-cpu has no usable wheels",
        ]


@pytest.mark.parametrize(
    "said",
    ["error: Failed to fetch: `index/a/`", "error sending request for url", "hint: the network was disabled. When the"],
)
def test_without_a_network_it_is_skipped_with_the_reason_and_not_held_for_good(clone: Path, said: str) -> None:
    done = check(clone, f"echo '{said}'; exit 2")
    assert done.returncode == 0
    assert done.stdout.startswith("locks: skipped, for no package index answers: ")
    assert not (clone / ".venvs/locks-checked").exists()


def test_an_address_in_a_lock_is_refused(clone: Path) -> None:
    with (clone / "locks/jobs.txt").open("a") as lock:
        lock.write("--index-url https://index.example/simple\n")
    done = check(clone, "exit 0")
    assert done.returncode == 1
    assert "an address in a lock" in done.stderr
    assert "locks/jobs.txt" in done.stderr
