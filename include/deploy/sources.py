"""The source files of a checkout that are packed: by folder, and nothing that git ignores."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

PACKED_SUFFIXES = frozenset({".css", ".html", ".js", ".py", ".txt", ".yaml"})
"""Kinds of files that the packages need; data, keys and leftovers of tools are of other kinds."""
PACKED_NAMES = frozenset({".airflowignore", "population.json"})


def source_files(root: Path, folders: Iterable[str]) -> dict[str, bytes]:
    """The files below `folders` of the checkout at `root`, by their path in it, sorted.

    Caches, hidden files, files of other kinds than `PACKED_SUFFIXES` and files that git ignores are left out; where
    `root` is no git checkout, its copy is taken to hold none of the last.

    Raises:
        FileNotFoundError: a folder is missing.
    """
    paths = sorted({path for folder in folders for path in _packed_paths(root, root / folder)})
    ignored = _ignored_by_git(root, paths)
    return {path: (root / path).read_bytes() for path in paths if path not in ignored}


def _packed_paths(root: Path, folder: Path) -> Iterable[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: run this in a checkout of the project")
    for path in folder.rglob("*"):
        names = path.relative_to(folder).parts
        is_hidden = any(name == "__pycache__" or (name.startswith(".") and name not in PACKED_NAMES) for name in names)
        is_packed = path.suffix in PACKED_SUFFIXES or path.name in PACKED_NAMES
        if is_packed and not is_hidden and path.is_file():
            yield path.relative_to(root).as_posix()


def _ignored_by_git(root: Path, paths: list[str]) -> frozenset[str]:
    # Only a checkout of our own: a copy somewhere below another one may be ignored there as a whole.
    if not (root / ".git").exists():
        return frozenset()
    command = ["git", "-C", str(root), "check-ignore", "--stdin", "-z"]
    try:
        asked = subprocess.run(command, input="\0".join(paths).encode(), capture_output=True, check=False, timeout=60)
    except OSError:
        return frozenset()
    return frozenset(filter(None, asked.stdout.decode().split("\0")))
