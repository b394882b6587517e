"""Git, as publishing needs it: plumbing on object databases, without a work tree."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 600
QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
"""Git neither asks for a password nor speaks another language: its refusals are read."""


class GitFailed(Exception):
    """Git refused; the message is what it said last."""


@dataclass(frozen=True)
class Blob:
    """A file of a commit: its mode, its object and its content."""

    mode: str
    object_id: str
    content: bytes


def git(folder: Path, *arguments: str, data: bytes | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a git command in `folder` and return what it prints, stripped.

    Raises:
        GitFailed: git is missing, refuses, or takes longer than ten minutes.
    """
    return _run(folder, arguments, data, environment or {}).decode().strip()


def files_of(folder: Path, revision: str) -> dict[str, Blob]:
    """Every file of a commit, by path. Submodules are none; links are files that hold where they point to."""
    listed = _run(folder, ("ls-tree", "-r", "-z", revision), None, {}).decode().split("\0")
    found = {}
    for line in filter(None, listed):
        description, path = line.split("\t", 1)
        mode, kind, object_id = description.split()
        if kind == "blob":
            found[path] = (mode, object_id)
    contents = _contents(folder, {object_id for _, object_id in found.values()})
    return {path: Blob(mode, object_id, contents[object_id]) for path, (mode, object_id) in found.items()}


def _contents(folder: Path, object_ids: Iterable[str]) -> dict[str, bytes]:
    wanted = sorted(object_ids)
    answer = _run(folder, ("cat-file", "--batch"), "".join(f"{name}\n" for name in wanted).encode(), {})
    found, place = {}, 0
    for _ in wanted:
        end = answer.index(b"\n", place)
        object_id, _, size = answer[place:end].decode().split()
        place = end + 1 + int(size)
        found[object_id] = answer[end + 1 : place]
        place += 1
    return found


def _run(folder: Path, arguments: Sequence[str], data: bytes | None, environment: Mapping[str, str]) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=data,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
            env=os.environ | QUIET | dict(environment),
        )
    except FileNotFoundError as error:
        raise GitFailed("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git {arguments[0]} took longer than {TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        # What git adds as a hint comes last and explains its manual, not the refusal.
        said = [line for line in lines if not line.startswith("hint:")]
        raise GitFailed(said[-1] if said else f"git {arguments[0]} failed") from error
    return done.stdout
