"""Where exports lie: from a location to its athletes, and a way to open the export of each.

The athlete's id is the zip's name without `.zip`, or the name of the folder that holds DI_CONNECT. Every run of
characters that an id cannot have (see `document.ATHLETE_ID`) becomes one `-`, none at the start; 64 are kept.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from include.garmin.document import SourceError
from include.garmin.export.archive import zip_members
from include.garmin.export.layout import WHAT_IT_LOOKS_LIKE
from include.garmin.export.measured import Member
from include.garmin.export.s3_file import open_s3, zip_keys
from include.garmin.export.unpacked import DI_CONNECT, folder_members, is_unpacked

Opener = Callable[[], AbstractContextManager[list[Member]]]
Client = Callable[[str], Any]

_S3 = "s3://"
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")


def places(location: str, client: Client | None = None) -> dict[str, Opener]:
    """Each athlete at `location` and how to open the export.

    Args:
        location: a zip, a folder of zips, a folder that holds DI_CONNECT or has sub-folders that do,
            `s3://bucket/key.zip` or `s3://bucket/prefix/`.
        client: gives the boto3 client of a service; needed for S3.

    Raises:
        SourceError: nothing there, or two exports whose athletes would have the same id.
    """
    if location.startswith(_S3):
        if client is None:
            raise SourceError(f"{location}: reading from S3 needs a client")
        found = _on_s3(location, client("s3"))
    else:
        found = _on_disk(Path(os.path.expanduser(location)))  # noqa: PTH111 - Path's raises where ~name is nobody
    openers = _by_athlete(found)
    if not openers:
        raise SourceError(f"{location}: holds no export; {WHAT_IT_LOOKS_LIKE}")
    return openers


def athlete_id(name: str) -> str:
    """The id of the athlete whose export is called `name`. Raises SourceError when nothing of it is left."""
    cleaned = _NOT_IN_IDS.sub("-", name).lstrip("-_")[:64]
    if not cleaned:
        raise SourceError(f"export {name!r}: its name becomes the athlete's id, so it needs letters a-z or digits")
    return cleaned


def _on_disk(path: Path) -> Iterator[tuple[str, str, Opener]]:
    try:
        if path.is_file():
            yield path.stem, str(path), partial(_local_zip, path)
            return
        if path.name.upper() == DI_CONNECT and path.is_dir():
            path = path.resolve().parent
        if is_unpacked(path):
            yield path.resolve().name, str(path), partial(folder_members, path)
            return
        for child in sorted(path.iterdir()):
            if child.suffix.lower() == ".zip" and child.is_file():
                yield child.stem, str(child), partial(_local_zip, child)
            elif child.is_dir() and is_unpacked(child):
                yield child.name, str(child), partial(folder_members, child)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _on_s3(location: str, s3: Any) -> Iterator[tuple[str, str, Opener]]:
    bucket, _, key = location.removeprefix(_S3).partition("/")
    if not bucket:
        raise SourceError(f"{location}: expected s3://bucket/key.zip or s3://bucket/prefix/")
    is_one = key.lower().endswith(".zip")
    prefix = key if not key or key.endswith("/") else f"{key}/"
    for found in [key] if is_one else zip_keys(s3, bucket, prefix):
        yield PurePosixPath(found).name[: -len(".zip")], f"{_S3}{bucket}/{found}", partial(_s3_zip, s3, bucket, found)


def _by_athlete(exports: Iterable[tuple[str, str, Opener]]) -> dict[str, Opener]:
    openers: dict[str, Opener] = {}
    labels: dict[str, str] = {}
    for name, label, opener in exports:
        athlete = athlete_id(name)
        if athlete in openers:
            raise SourceError(f"{label} and {labels[athlete]} would both be athlete {athlete!r}: rename one")
        openers[athlete], labels[athlete] = opener, label
    return openers


@contextmanager
def _local_zip(path: Path) -> Iterator[list[Member]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file, zip_members(file, str(path)) as members:
        yield members


@contextmanager
def _s3_zip(s3: Any, bucket: str, key: str) -> Iterator[list[Member]]:
    with open_s3(s3, bucket, key) as file, zip_members(file, f"{_S3}{bucket}/{key}") as members:
        yield members
