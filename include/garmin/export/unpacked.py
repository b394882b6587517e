"""The members of an export that was unpacked into a folder already."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.garmin.document import SourceError
from include.garmin.export.layout import is_read, refuse_unknown
from include.garmin.export.measured import Member

DI_CONNECT = "DI_CONNECT"


def is_unpacked(folder: Path) -> bool:
    """Whether `folder` holds DI_CONNECT."""
    return any(child.is_dir() and child.name.upper() == DI_CONNECT for child in folder.iterdir())


@contextmanager
def folder_members(folder: Path) -> Iterator[list[Member]]:
    """The members in `folder`, which holds DI_CONNECT. Links are not followed.

    Raises:
        SourceError: the folder cannot be listed, or nothing in it is known.
    """
    try:
        members = [_member(file, file.relative_to(folder).as_posix()) for file in _files(folder)]
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read: {error.strerror or error}") from error
    refuse_unknown((member.path for member in members), str(folder))
    yield [member for member in members if is_read(member.path)]


def _files(folder: Path) -> Iterator[Path]:
    for top in folder.iterdir():
        if top.name.upper() == DI_CONNECT and not top.is_symlink():
            yield from (file for file in top.glob("*/*") if file.is_file() and not file.is_symlink())


def _member(file: Path, path: str) -> Member:
    return Member(path, file.stat().st_size, lambda: file.open("rb"))
