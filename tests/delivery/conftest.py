"""A small repository to publish from, and bare ones to publish to."""

import subprocess
from pathlib import Path

import pytest

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


class Checkout:
    """A git repository with a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *WHO, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str], message: str = "Change") -> str:
        """Write files and commit them; the new commit."""
        for name, text in files.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            self.git("add", name)
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "here"
    folder.mkdir()
    return Checkout(folder)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository without a work tree."""
    folder = tmp_path / "there.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", folder], check=True)
    return folder


def in_bare(folder: Path, *arguments: str) -> str:
    """What git says about a bare repository."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
