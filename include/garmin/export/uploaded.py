"""The METRICS files of an account export: they lie among all FIT files, in the zips of DI-Connect-Uploaded-Files.

Such a zip holds the files that watches ever sent, gigabytes of activities, under names that do not tell what they are.
It is read twice as a stream, and neither it nor a file in it is ever held whole or written to disk: once to its end,
which checks it and keeps the list of entries, and once to look at the first bytes of each FIT file. Those that are
METRICS files are read, all others are passed over.
"""

import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase

from include.garmin.document import RawDocument, SourceError
from include.garmin.export.archive import MAX_DIRECTORY_BYTES, refuse_unsound
from include.garmin.export.measured import DAMAGE, MAX_RATIO, MIB, READ_BYTES, Member, Readable
from include.garmin.fit_metrics import HEAD_BYTES, MAX_METRICS_BYTES, is_metrics
from include.garmin.metrics_documents import Metrics

MAX_ZIPS = 500
"""Zips in the folder; Garmin writes one for some thousand files."""
MAX_ZIP_BYTES = 4096 * MIB
"""Of one of them. Garmin begins a new one long before."""
MAX_ALL_BYTES = 32 * 1024 * MIB
RATIO_FREE_BYTES = 8 * MIB
_TAIL_BYTES = MAX_DIRECTORY_BYTES + 128 * 1024
"""The list of entries, and the record and comment after it."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def uploaded_metrics(members: Iterable[Member], start: date | None, end: date | None) -> Iterator[RawDocument]:
    """The documents of all METRICS files in the uploads of an export (see `metrics_documents`).

    A zip or a file that cannot be read takes no other with it: it becomes a document that tells why.
    """
    metrics, left = Metrics(), MAX_ALL_BYTES
    for number, member in enumerate(members):
        if number >= MAX_ZIPS or left < 0:
            metrics.add_unreadable(member.path, "left out: more uploads than any account holds")
            break
        try:
            if member.path.lower().endswith(".zip"):
                left -= _add_zip(metrics, member)
            else:
                _add_file(metrics, member)
        except (*DAMAGE, SourceError) as error:
            metrics.add_unreadable(member.path, f"cannot be read: {error or type(error).__name__}")
    yield from metrics.documents(start, end)


def _add_zip(metrics: Metrics, member: Member) -> int:
    """Take in the METRICS files of one zip; returns its bytes."""
    with closing(_Rewound(member)) as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        refuse_unsound(entries, archive.start_dir, member.path)
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if not entry.filename.lower().endswith(".fit") or entry.is_dir():
                continue
            if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
                metrics.add_unreadable(entry.filename, "encrypted, or packed by a method that is not read")
                continue
            try:
                with archive.open(entry) as packed:
                    _add_metrics(metrics, entry.filename, packed)
            except DAMAGE as error:
                metrics.add_unreadable(entry.filename, f"is damaged: {error or type(error).__name__}")
        return file.size


def _add_file(metrics: Metrics, member: Member) -> None:
    with closing(member.open()) as file:
        _add_metrics(metrics, member.path, file)


def _add_metrics(metrics: Metrics, name: str, file: Readable) -> None:
    """Take in a FIT file when it is a METRICS file; of any other the first bytes are read."""
    head = file.read(HEAD_BYTES)
    if not is_metrics(name, head):
        return
    body = head + file.read(MAX_METRICS_BYTES + 1 - len(head))
    if len(body) > MAX_METRICS_BYTES:
        metrics.add_unreadable(name, f"larger than {MAX_METRICS_BYTES} bytes")
    else:
        metrics.add(name, body)


class _Rewound(RawIOBase):
    """A member that can be sought in: its last bytes are kept, and what lies before is read anew from its beginning.

    A zip says what it holds at its end. After that its entries are read in their order, so the stream is read twice.
    """

    def __init__(self, member: Member) -> None:
        """Reads to the end. Raises BadZipFile when more comes out than such a zip can hold, and as the member."""
        self._member = member
        most = min(MAX_ZIP_BYTES, RATIO_FREE_BYTES + MAX_RATIO * member.packed_bytes)
        chunks: deque[bytes] = deque()
        size = kept = 0
        with closing(member.open()) as stream:
            while chunk := stream.read(READ_BYTES):
                size += len(chunk)
                if size > most:
                    raise zipfile.BadZipFile(f"unpacks to more than {most} bytes from {member.packed_bytes}")
                chunks.append(chunk)
                kept += len(chunk)
                while kept - len(chunks[0]) >= _TAIL_BYTES:
                    kept -= len(chunks.popleft())
        self.size = size
        self._tail = b"".join(chunks)
        self._tail_start = size - kept
        self._at = 0
        self._stream: Readable | None = None
        self._window, self._window_start = b"", 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        start = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of entries is larger than {MAX_DIRECTORY_BYTES} bytes")
        end = self.size if size < 0 else min(self._at + size, self.size)
        if end - self._at > _TAIL_BYTES:
            raise zipfile.BadZipFile(f"more than {_TAIL_BYTES} bytes at once")
        data = b""
        while self._at < end and (part := self._from(self._at, end)):
            data += part
            self._at += len(part)
        return data

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        super().close()

    def _from(self, start: int, end: int) -> bytes:
        """Some bytes from `start` on; none when the member is shorter than it was."""
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : end - self._tail_start]
        if self._stream is None or start < self._window_start:
            if self._stream is not None:
                self._stream.close()
            self._stream, self._window, self._window_start = self._member.open(), b"", 0
        while start >= self._window_start + len(self._window):
            self._window_start += len(self._window)
            self._window = self._stream.read(READ_BYTES)
            if not self._window:
                return b""
        return self._window[start - self._window_start : end - self._window_start]
