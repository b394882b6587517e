"""infra/environments.sh where something is missing: one line that says what, before anything half done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM = ("awk", "cat", "cksum", "cp", "df", "dirname", "echo", "env", "mkdir", "rm", "sh")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without environments; `bin` is all its PATH holds."""
    for name in ("infra/environments.sh", "locks/airflow.txt", "locks/jobs.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name in SYSTEM:
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def fake(clone: Path, name: str, script: str) -> None:
    path = clone / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make(clone: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": str(clone / "bin")}
    command = [str(clone / "bin/sh"), "infra/environments.sh"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=60, check=False)


def expect_one_line(done: subprocess.CompletedProcess[str], told: str) -> None:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert told in done.stderr


def test_no_python_and_no_uv(clone: Path) -> None:
    expect_one_line(make(clone), "install Python 3.12 (or uv, which brings it)")


def test_a_full_disk(clone: Path) -> None:
    fake(clone, "uv", "exit 0")
    fake(clone, "df", "echo head; echo /dev/x 100000 99000 1000 99% /")
    expect_one_line(make(clone), "The disk is nearly full: 0 MiB are free here, the environments need")
    assert not (clone / ".venvs/airflow").exists()


def test_no_network_for_uv(clone: Path) -> None:
    fake(
        clone,
        "python3.12",
        'mkdir -p "$3/bin"; printf "#!/bin/sh\\nexit 1\\n" >"$3/bin/pip"; /bin/chmod +x "$3/bin/pip"',
    )
    expect_one_line(make(clone), "uv could not be downloaded: is there a network?")


def test_no_network_for_the_packages(clone: Path) -> None:
    fake(clone, "uv", 'case "$1" in venv) mkdir -p .venvs/airflow ;; pip) echo "no route" >&2; exit 2 ;; esac')
    expect_one_line(make(clone), "locks/airflow.txt could not be installed: is there a network?")
    assert "no route" in (clone / ".venvs/airflow.log").read_text()
    assert not (clone / ".venvs/airflow/lock-sum").exists(), "the next run tries again"


def test_no_python_3_12(clone: Path) -> None:
    fake(clone, "uv", 'case "$1" in venv) exit 2 ;; esac')
    expect_one_line(make(clone), "No Python 3.12 found, and uv could not bring it")
