"""A function's zip on disk: checked, then unpacked once for each content."""

import hashlib
import io
import shutil
import stat
import tempfile
import threading
import zipfile
from pathlib import Path, PurePosixPath

MAX_UNZIPPED_BYTES = 262_144_000
MAX_FILES = 30_000


class PackageError(ValueError):
    """The deployment package is not one that Lambda takes."""


def check(code: bytes) -> None:
    """Refuse what is no zip, is too large unpacked, or would write outside its folder (PackageError)."""
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as e:
        raise PackageError("Could not unzip uploaded file. Please check your file, then try to upload again.") from e
    if len(members) > MAX_FILES:
        raise PackageError(f"The zip holds more than {MAX_FILES} files.")
    if sum(m.file_size for m in members) > MAX_UNZIPPED_BYTES:
        raise PackageError(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")
    for member in members:
        _check_member(member)


def _check_member(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename.split("/")[0]:
        raise PackageError(f"The zip holds a path outside of its folder: {member.filename!r}")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise PackageError(f"The zip holds a symbolic link: {member.filename!r}")


class Packages:
    """Unpacked packages under one folder, by the hash of their bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def unpack(self, code: bytes) -> Path:
        """The folder that holds `code` unpacked (PackageError)."""
        target = self._folder / hashlib.sha256(code).hexdigest()
        with self._lock:
            if target.is_dir():
                return target
            check(code)
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(dir=self._folder, prefix="."))
            try:
                _extract(code, fresh)
                fresh.chmod(0o755)
                fresh.rename(target)
            except (zipfile.BadZipFile, OSError, RuntimeError) as e:
                shutil.rmtree(fresh, ignore_errors=True)
                raise PackageError(f"Could not unzip uploaded file: {e}") from e
            return target


def _extract(code: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, folder))
            mode = (member.external_attr >> 16) & 0o777
            if mode and not member.is_dir():
                path.chmod(mode | 0o400)
