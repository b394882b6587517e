"""Run a buildspec as CodeBuild does: its commands in order, in one shell, with the variables that a build has."""

import subprocess
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")


class BuildFailed(Exception):
    """A command failed; the message is what the build wrote."""


def read(tree: Path, name: str) -> dict[str, Any]:
    """A buildspec of a repository."""
    spec: dict[str, Any] = yaml.safe_load((tree / name).read_text())
    assert spec["version"] == 0.2, "in 0.1 each command has a shell of its own"
    assert set(spec["phases"]) <= set(PHASES)
    return spec


def run(tree: Path, name: str, variables: Mapping[str, str]) -> str:
    """Run a buildspec in a tree; what it wrote.

    Raises:
        BuildFailed: a command failed; those after it were not run.
    """
    phases = read(tree, name)["phases"]
    commands = [command for phase in PHASES if phase in phases for command in phases[phase]["commands"]]
    # Where a command fails CodeBuild ends the phase, and with it the build.
    script = "\n".join(["set -e", *commands])
    build = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tree.parent),
        "CODEBUILD_SRC_DIR": str(tree),
        "CODEBUILD_BUILD_ID": "project:00000000-0000-0000-0000-000000000000",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "0" * 40,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        **variables,
    }
    done = subprocess.run(["sh", "-c", script], cwd=tree, env=build, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        raise BuildFailed(output)
    return output


def artifact(tree: Path, name: str, target: Path) -> None:
    """Copy what a build hands on; hidden files only where they are named, as not every glob finds them."""
    declared = read(tree, name)["artifacts"]
    for relative in _matches(tree, declared["files"]):
        if _is_excluded(relative, declared["exclude-paths"]):
            continue
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((tree / relative).read_bytes())
        place.chmod((tree / relative).stat().st_mode)


def _matches(tree: Path, patterns: list[str]) -> set[Path]:
    found = set()
    for pattern in patterns:
        hidden = Path(pattern).name.startswith(".") or pattern.startswith(".")
        places = (place.relative_to(tree) for place in tree.glob(pattern) if place.is_file())
        found |= {place for place in places if hidden or not any(part.startswith(".") for part in place.parts)}
    return found


def _is_excluded(path: Path, patterns: list[str]) -> bool:
    """Whether a pattern names a path; looking for what matches would read whole virtual environments."""
    return any(fnmatch(path.as_posix(), pattern.replace("**/", "*")) for pattern in patterns)
