"""The members of a zip, after the zip as a whole has been found sound. Nothing is ever written to disk.

A damaged member is found when it is read (`measured`); here the zip is refused whole: no zip, a cut one, too many
entries, entries that overlap (one packed stream given out many times) or are encrypted, no DI_CONNECT or
nothing known in it.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from include.garmin.document import SourceError
from include.garmin.export.layout import WHAT_IT_LOOKS_LIKE, is_in_export, is_read, refuse_unknown
from include.garmin.export.measured import DAMAGE, MIB, Member, Readable, shown

MAX_DIRECTORY_BYTES = 8 * MIB
"""Of the list of entries at a zip's end, which is read whole."""
MAX_ENTRIES = 50_000
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded:
    """A file of which no single read takes more than MAX_DIRECTORY_BYTES, whatever size the zip claims."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of entries is larger than {MAX_DIRECTORY_BYTES} bytes")
        return self._file.read(size)


@contextmanager
def zip_members(file: IO[bytes], label: str) -> Iterator[list[Member]]:
    """The members of the zip `file` that are read; both can be used until the context ends.

    Raises:
        SourceError: what is wrong with the zip called `label`.
    """
    try:
        archive = zipfile.ZipFile(_Bounded(file))
    except DAMAGE as error:
        raise SourceError(f"{label}: is no zip, or not a whole one ({error}); download the export again") from error
    with archive:
        entries = archive.infolist()
        refuse_unsound(entries, archive.start_dir, label)
        if not any(is_in_export(_path(entry)) for entry in entries):
            raise SourceError(f"{label}: holds no folder DI_CONNECT; {WHAT_IT_LOOKS_LIKE}")
        refuse_unknown((_path(entry) for entry in entries), label)
        wanted = [entry for entry in entries if is_read(_path(entry)) and not entry.is_dir()]
        for entry in wanted:
            if entry.flag_bits & _ENCRYPTED:
                raise SourceError(f"{label}: {shown(_path(entry))} is encrypted; zip the export without a password")
        yield [_member(archive, entry) for entry in wanted]


def refuse_unsound(entries: Sequence[zipfile.ZipInfo], directory_start: int, label: str) -> None:
    """Raises SourceError for a zip with too many entries, or with entries that overlap."""
    if len(entries) > MAX_ENTRIES:
        raise SourceError(f"{label}: holds {len(entries)} entries; an account export has at most {MAX_ENTRIES}")
    end, path = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise SourceError(f"{label}: {shown(_path(entry))} overlaps {shown(path)}; download the export again")
        end, path = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size, _path(entry)
    if end > directory_start:
        raise SourceError(f"{label}: {shown(path)} overlaps the list of entries; download the export again")


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    def begin() -> Readable:
        if entry.compress_type not in _METHODS:
            raise zipfile.BadZipFile(f"packed by method {entry.compress_type}; only deflate is read")
        return archive.open(entry)

    return Member(_path(entry), entry.compress_size, begin)


def _path(entry: zipfile.ZipInfo) -> str:
    return entry.filename.replace("\\", "/")
