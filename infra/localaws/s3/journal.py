"""Where S3 lives on disk: one SQLite file in WAL mode, and a file for each large body.

A commit is in the hands of the operating system when it returns, so it survives the end of this process, `kill -9`
included; only a crash of the whole machine may lose the last moments (SQLite: `synchronous=NORMAL`). A torn tail of
the journal is cut off by SQLite itself.
"""

import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

INLINE_MAX_BYTES = 64 * 1024
"""Bodies up to this size are kept in SQLite, larger ones in files."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, account TEXT, partition TEXT, state BLOB);
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, bucket TEXT, state BLOB);
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY, bucket TEXT, name TEXT, upload TEXT, size INTEGER, state BLOB, body BLOB);
"""


@dataclass(frozen=True)
class ObjectRow:
    """One object version, delete marker or part; `upload` is set for parts, whose name is their number."""

    id: int
    bucket: str
    name: str
    upload: str | None
    size: int
    state: bytes
    body: bytes | None
    """The body where it is small; None leaves what is stored."""


class Journal:
    """Rows of buckets, uploads and objects; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "journal.sqlite"
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=64)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.executescript(_SCHEMA)
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM objects").fetchone()
        self._ids = itertools.count(last + 1)
        self._drop_orphans()

    def _drop_orphans(self) -> None:
        """Delete body files that no row owns: their request never got its answer."""
        owned = {str(row[0]) for row in self._db.execute("SELECT id FROM objects WHERE size > ?", (INLINE_MAX_BYTES,))}
        for path in self.blobs.iterdir():
            if path.name not in owned:
                path.unlink()

    def new_id(self) -> int:
        row_id: int = next(self._ids)
        return row_id

    def path(self, row_id: int) -> Path:
        """The file of a large body."""
        return self.blobs / str(row_id)

    def read(self, row_id: int) -> bytes:
        """A small body.

        Raises:
            FileNotFoundError: where the row is gone (deleted a moment ago).
        """
        with self._lock:
            row = self._db.execute("SELECT body FROM objects WHERE id = ?", (row_id,)).fetchone()
        if row is None:
            raise FileNotFoundError(row_id)
        return bytes(row[0] or b"")

    def commit(self, kept: Iterable[ObjectRow], removed: Iterable[int]) -> None:
        """Write and delete object rows as one transaction."""
        gone = list(removed)
        with self._lock:
            self._db.execute("BEGIN")
            try:
                for row in kept:
                    self._put(row)
                self._db.executemany("DELETE FROM objects WHERE id = ?", [(row_id,) for row_id in gone])
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        for row_id in gone:
            self.path(row_id).unlink(missing_ok=True)

    def _put(self, row: ObjectRow) -> None:
        if row.body is None:
            updated = self._db.execute("UPDATE objects SET state = ? WHERE id = ?", (row.state, row.id))
            if updated.rowcount:
                return
        self._db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.id, row.bucket, row.name, row.upload, row.size, row.state, row.body),
        )

    def put_bucket(self, name: str, account: str, partition: str, state: bytes) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)", (name, account, partition, state))

    def delete_bucket(self, name: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM buckets WHERE name = ?", (name,))

    def put_upload(self, upload_id: str, bucket: str, state: bytes) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", (upload_id, bucket, state))

    def delete_upload(self, upload_id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))

    def buckets(self) -> list[tuple[str, str, str, bytes]]:
        return self._db.execute("SELECT name, account, partition, state FROM buckets ORDER BY rowid").fetchall()

    def uploads(self) -> list[tuple[str, str, bytes]]:
        return self._db.execute("SELECT id, bucket, state FROM uploads ORDER BY rowid").fetchall()

    def objects(self) -> Iterator[tuple[int, str, str, str | None, int, bytes]]:
        """Every row but its body, oldest first."""
        yield from self._db.execute("SELECT id, bucket, name, upload, size, state FROM objects ORDER BY id")

    def close(self) -> None:
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
