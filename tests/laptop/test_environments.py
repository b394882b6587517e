"""infra/environments.sh where something is missing: one line that says what, before anything half done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM = ("awk", "cat", "cksum", "cp", "df", "dirname", "echo", "env", "grep", "mkdir", "rm", "sh", "uname")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without environments; `bin` is all its PATH holds, and no Python lies where a Mac has them."""
    for name in ("infra/environments.sh", "locks/airflow.txt", "locks/jobs.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    script = tmp_path / "infra/environments.sh"
    text = script.read_text()
    for folder in ("/Library/Frameworks", "/opt/homebrew", "/usr/local/bin/python"):
        text = text.replace(folder, f"{tmp_path}{folder}")
    script.write_text(text)
    (tmp_path / "bin").mkdir()
    for name in SYSTEM:
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def fake(clone: Path, name: str, script: str, folder: str = "bin") -> None:
    path = clone / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def on_platform(clone: Path, system: str, machine: str) -> None:
    fake(clone, "uname", f'case "$1" in -s) echo {system} ;; -m) echo {machine} ;; esac')


def make(clone: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": str(clone / "bin")}
    command = [str(clone / "bin/sh"), "infra/environments.sh"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=60, check=False)


def expect_one_line(done: subprocess.CompletedProcess[str], expected: str) -> None:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert expected in done.stderr


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
        '[ "$1" = -c ] && exit 0; '
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


WORKING_UV = """
case "$1 $2" in
"venv "*) for folder; do :; done; mkdir -p "$folder/bin"; echo "$*" >>calls; cp python "$folder/bin/python" ;;
"pip "*) echo "$*" >>calls ;;
esac"""


def test_a_mac_gets_both_environments_by_the_python_of_python_org_or_homebrew(clone: Path) -> None:
    on_platform(clone, "Darwin", "arm64")
    fake(clone, "uv", WORKING_UV)
    fake(clone, "python", "exit 0", folder=".")
    fake(clone, "python3.12", "exit 0", folder="opt/homebrew/bin")
    assert make(clone).returncode == 0
    calls = (clone / "calls").read_text()
    assert calls.count(f"--python {clone}/opt/homebrew/bin/python3.12") == 2
    assert calls.count("--only-binary :all:") == 2


def test_a_mac_without_openmp(clone: Path) -> None:
    on_platform(clone, "Darwin", "arm64")
    fake(clone, "uv", WORKING_UV)
    fake(clone, "python", 'echo "Library not loaded: libomp.dylib" >&2; exit 1', folder=".")
    expect_one_line(make(clone), "brew install libomp")
    assert "libomp.dylib" in (clone / ".venvs/jobs.log").read_text()
    assert not (clone / ".venvs/jobs/lock-sum").exists(), "the next run tries again"


def test_the_python_of_a_mac_that_only_offers_to_install_one_is_passed_over(clone: Path) -> None:
    on_platform(clone, "Darwin", "x86_64")
    fake(clone, "python3", 'echo "xcode-select: No developer tools were found" >&2; exit 1')
    expect_one_line(make(clone), "install Python 3.12 (or uv, which brings it)")


@pytest.mark.parametrize(
    ("system", "machine"), [("Linux", "i686"), ("Linux", "armv7l"), ("MINGW64_NT-10.0", "x86_64"), ("FreeBSD", "amd64")]
)
def test_a_platform_without_wheels(clone: Path, system: str, machine: str) -> None:
    on_platform(clone, system, machine)
    expect_one_line(make(clone), f"no wheels for {system} on {machine}")


def test_a_linux_with_musl(clone: Path) -> None:
    on_platform(clone, "Linux", "x86_64")
    fake(clone, "ldd", 'echo "musl libc (x86_64)" >&2; exit 1')
    expect_one_line(make(clone), "no wheels for Linux with musl (Alpine)")


def test_a_package_without_a_wheel_for_this_machine(clone: Path) -> None:
    no_wheel = "Because xgboost-cpu==3.2.0 has no usable wheels and you require it, your requirements are unsatisfiable"
    fake(clone, "uv", f'case "$1" in venv) mkdir -p .venvs/airflow ;; pip) echo "{no_wheel}" >&2; exit 1 ;; esac')
    expect_one_line(make(clone), "A package of locks/airflow.txt has no wheel for this machine")
