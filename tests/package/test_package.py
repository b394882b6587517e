"""What a package holds: all that a deployment needs and nothing else, the same bytes for the same sources."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from include.deploy.release import build_release, stack_template
from infra.deployment.environment import environment_names
from infra.package import NotPackaged, Package, build_package, read_package
from tests.package.conftest import ROOT


def test_it_has_a_place_for_each_that_is_fed_from_it(package: Package) -> None:
    assert {name.split("/")[0] for name in package.files} == {"mwaa", "release", "stacks"}
    assert set(package.below("mwaa/startup/")) == {f"{name}.sh" for name in environment_names()}
    assert package.requirements == package.files["mwaa/requirements.txt"]
    assert {"dags/ingest.py", "include/settings.py", "plugins/operators/aws.py", ".airflowignore"} <= set(
        package.below("mwaa/dags/")
    )


def test_every_stack_is_there_as_it_is_deployed(package: Package) -> None:
    stacks = [path.stem for path in (ROOT / "infra/stacks").glob("*.yaml")]
    assert set(package.below("stacks/")) == {f"{name}.yaml" for name in stacks}
    assert all(package.template(name) == stack_template(name) for name in stacks)


def test_the_release_is_the_one_that_a_checkout_publishes(package: Package) -> None:
    assert package.release == build_release()


def listed_by_git(*options: str) -> set[str]:
    command = ["git", "-C", str(ROOT), "ls-files", *options, "dags", "include", "plugins"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {name for name in names if (ROOT / name).is_file()}


def test_every_source_that_git_keeps_is_in_the_dags_folder_and_nothing_that_it_ignores(package: Package) -> None:
    made = {".airflowignore", "include/version.txt"}
    sources = package.below("mwaa/dags/").keys() - made
    tracked, new = listed_by_git(), listed_by_git("--others", "--exclude-standard")
    assert tracked - sources == set(), "a new kind of file belongs in PACKED_SUFFIXES"
    assert sources - tracked - new == set()


def test_nothing_unneeded_is_in_it(package: Package) -> None:
    parts = {part for name in package.files for part in name.split("/")}
    assert not parts & {"tests", "benchmarks", "docs", "infra", "localaws", "laptop", "locks", "__pycache__", ".git"}
    assert not [name for name in package.files if name.endswith((".pyc", ".zip")) and name != "release/lambda.zip"]
    machine = [name for name, body in package.files.items() if str(ROOT).encode() in body]
    assert machine == [], "no path of the machine that built it"


def test_what_git_ignores_and_what_tools_leave_is_not_packed(package: Package, copied: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(copied)], check=True)
    (copied / ".git/info/exclude").write_text("mine.py\n")
    for name in ("include/mine.py", "dags/mine.py", "plugins/.env", "include/tokens.json", "dags/ingest.py.orig"):
        (copied / name).write_text("secret = 'hunter2'\n")
    (copied / "include/jobs/__pycache__").mkdir()
    (copied / "include/jobs/__pycache__/train.py").touch()
    assert build_package(copied).files == package.files


def test_the_same_sources_give_the_same_bytes_elsewhere_and_at_another_time(
    dist: Path, copied: Path, tmp_path: Path
) -> None:
    for path in [copied, *copied.rglob("*")]:
        os.utime(path, (random.randrange(10**9),) * 2)
        if path.is_file():
            path.chmod(0o600)
    command = [sys.executable, "-m", "infra.package", "--output", str(tmp_path / "dist")]
    elsewhere = {
        "PATH": os.defpath,
        "PYTHONPATH": str(copied),
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=elsewhere, umask=0o077, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = read_package(dist), read_package(tmp_path / "dist")
    assert second.files == first.files
    assert (second.version, second.commit) == (first.version, ""), "no git checkout, no commit"
    manifests = [(folder / "manifest.json").read_text() for folder in (dist, tmp_path / "dist")]
    assert manifests[0].replace(first.commit, "") == manifests[1]
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "dist").rglob("*")}
    assert modes == {0o644, 0o755}, "a container's user reads them"


def test_a_change_of_settings_alone_is_no_new_version(package: Package, copied: Path) -> None:
    (copied / "infra/environments/mine.toml").write_text('home = "laptop"\nproject = "mine"\n')
    built = build_package(copied)
    assert built.version == package.version
    assert built.files.keys() - package.files.keys() == {"mwaa/startup/mine.sh"}


def test_startup_script_and_requirements_stay_the_same_when_the_code_changes(package: Package, copied: Path) -> None:
    """MWAA restarts for twenty minutes when one of them changes."""
    with (copied / "dags/ingest.py").open("a") as file:
        file.write("\n")
    built = build_package(copied)
    assert built.version != package.version
    assert built.below("mwaa/startup/") == package.below("mwaa/startup/")
    assert built.requirements == package.requirements


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("infra/environments/mine.toml", "home = 7", "mine.toml: home: "),
        ("infra/environments/mine.toml", 'home = "laptop"\n[settings]\nsource = "a\\nb"', "mine.toml: source is 'a"),
        ("requirements.txt", "pandas\n", "requirements.txt must pin apache-airflow==VERSION"),
        ("requirements.txt", "apache-airflow==3.2.1\n-c here.txt\n", "would keep MWAA from applying"),
        (".python-version", "newest", ".python-version names no Python version"),
    ],
)
def test_what_cannot_be_packaged_is_said_in_a_line(copied: Path, name: str, text: str, reason: str) -> None:
    (copied / name).write_text(text)
    with pytest.raises(NotPackaged) as raised:
        build_package(copied)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_no_checkout_is_not_packaged(tmp_path: Path) -> None:
    with pytest.raises(NotPackaged, match="run this in a checkout of the project"):
        build_package(tmp_path)
