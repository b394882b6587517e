"""Records on disk: the online store, and what still waits for the offline store (SQLite, WAL).

A write is committed before it is answered. WAL with `synchronous=NORMAL` costs no fsync for each record and
loses nothing when the process is killed.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.localaws.featurestore.event_time import file_stamp, hour_partition

HOUR_US = 3_600_000_000

_TABLES = """
CREATE TABLE IF NOT EXISTS groups (group_key TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS online (
    group_key TEXT, record_id TEXT, event_time_us INTEGER NOT NULL, record TEXT,
    PRIMARY KEY (group_key, record_id));
CREATE TABLE IF NOT EXISTS pending (
    seq INTEGER PRIMARY KEY, group_key TEXT NOT NULL, hour INTEGER NOT NULL, event_time_us INTEGER NOT NULL,
    invoked_us INTEGER NOT NULL, is_deleted INTEGER NOT NULL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS pending_hours ON pending (group_key, hour, seq);
CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY, group_key TEXT NOT NULL, hour INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    write_time_us INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class OfflineTable:
    """Where the offline store of a group lies and the types of its columns."""

    bucket: str
    prefix: str
    types: dict[str, str]
    role_arn: str = ""
    """The role under which Feature Store writes."""
    group_arn: str = ""


@dataclass(frozen=True)
class Write:
    """One put or delete that was accepted. `record` is the JSON list of `{FeatureName, ValueAsString}`."""

    group_key: str
    record_id: str
    event_time_us: int
    invoked_us: int
    record: str
    is_deleted: bool = False


@dataclass(frozen=True)
class PlannedFile:
    """A file of the offline store, named before it is written: a repeated flush writes the same one again."""

    key: str
    group_key: str
    hour: int
    last_seq: int
    write_time_us: int


class RecordStore:
    """All feature groups of one local AWS."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=64)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.executescript(_TABLES)
        self._lock = threading.Lock()
        highest = "SELECT max(s) FROM (SELECT max(seq) s FROM pending UNION ALL SELECT max(last_seq) FROM files)"
        self._seq = int(self._db.execute(highest).fetchone()[0] or 0)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def define(self, group_key: str, table: OfflineTable | None) -> None:
        """Remember the offline store of a group (None: it has none)."""
        text = json.dumps(asdict(table) if table else None)
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO groups VALUES (?, ?)", (group_key, text))

    def table(self, group_key: str) -> OfflineTable | None:
        with self._lock:
            row = self._db.execute("SELECT definition FROM groups WHERE group_key = ?", (group_key,)).fetchone()
        definition = json.loads(row[0]) if row else None
        return OfflineTable(**definition) if definition else None

    def write(self, write: Write, online: bool, offline: bool) -> None:
        """Keep a record; in the online store it takes effect unless a later event time is there."""
        with self._transaction() as db:
            if online:
                kept = None if write.is_deleted else write.record
                db.execute(
                    "INSERT INTO online VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                    "event_time_us = excluded.event_time_us, record = excluded.record "
                    "WHERE excluded.event_time_us >= online.event_time_us",
                    (write.group_key, write.record_id, write.event_time_us, kept),
                )
            if offline:
                self._append(db, write)

    def remove(self, write: Write, offline: bool) -> bool:
        """Delete for good (HardDelete); False where the online store holds a later event time."""
        with self._transaction() as db:
            key = (write.group_key, write.record_id)
            row = db.execute("SELECT event_time_us FROM online WHERE group_key = ? AND record_id = ?", key).fetchone()
            if row and row[0] >= write.event_time_us:
                return False
            db.execute("DELETE FROM online WHERE group_key = ? AND record_id = ?", key)
            if offline:
                self._append(db, write)
        return True

    def latest(self, group_key: str, record_id: str) -> str | None:
        """The record's JSON; None where there is none or it was deleted."""
        query = "SELECT record FROM online WHERE group_key = ? AND record_id = ?"
        with self._lock:
            row = self._db.execute(query, (group_key, record_id)).fetchone()
        return row[0] if row else None

    def forget(self, group_key: str) -> None:
        """Drop a group's online records and definition (its offline files stay, as on AWS)."""
        with self._transaction() as db:
            for table in ("online", "pending", "files", "groups"):
                db.execute(f"DELETE FROM {table} WHERE group_key = ?", (group_key,))  # noqa: S608

    def waiting_groups(self) -> list[tuple[str, int, int]]:
        """Groups whose records wait for the offline store: key, first and last api invocation time (microseconds)."""
        query = "SELECT group_key, min(invoked_us), max(invoked_us) FROM pending GROUP BY 1"
        with self._lock:
            return self._db.execute(query).fetchall()

    def waiting_hours(self, group_key: str) -> list[int]:
        """The partitions (hours since 1970) of a group that records wait for."""
        with self._lock:
            found = self._db.execute("SELECT DISTINCT hour FROM pending WHERE group_key = ?", (group_key,))
            return [row[0] for row in found]

    def plan(self, group_key: str, hours: set[int], write_time_us: int) -> list[PlannedFile]:
        """Name one file for each of the partitions; files named earlier and not done come first."""
        with self._transaction() as db:
            left = [PlannedFile(*row) for row in db.execute("SELECT * FROM files WHERE group_key = ?", (group_key,))]
            planned: list[PlannedFile] = []
            waiting = db.execute(
                "SELECT hour, max(seq), max(event_time_us) FROM pending WHERE group_key = ? GROUP BY 1", (group_key,)
            )
            named = {file.hour for file in left}
            for hour, last_seq, latest_us in waiting.fetchall():
                if hour in hours - named:
                    name = f"{hour_partition(latest_us)}/{file_stamp(latest_us)}_{secrets.token_hex(8)}.parquet"
                    planned.append(PlannedFile(name, group_key, hour, last_seq, write_time_us))
            rows = [(f.key, f.group_key, f.hour, f.last_seq, f.write_time_us) for f in planned]
            db.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", rows)
        return left + planned

    def rows(self, file: PlannedFile) -> list[tuple[str, int, bool]]:
        """The file's rows in order of writing: record JSON, api invocation time in microseconds, is_deleted."""
        query = (
            "SELECT record, invoked_us, is_deleted FROM pending WHERE group_key = ? AND hour = ? AND seq <= ? "
            "ORDER BY seq"
        )
        with self._lock:
            found = self._db.execute(query, (file.group_key, file.hour, file.last_seq)).fetchall()
        return [(record, invoked_us, bool(is_deleted)) for record, invoked_us, is_deleted in found]

    def done(self, files: list[PlannedFile]) -> None:
        """Their rows are in S3."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM pending WHERE group_key = ? AND hour = ? AND seq <= ?",
                [(f.group_key, f.hour, f.last_seq) for f in files],
            )
            db.executemany("DELETE FROM files WHERE key = ?", [(f.key,) for f in files])

    def _append(self, db: sqlite3.Connection, write: Write) -> None:
        self._seq += 1
        row = (self._seq, write.group_key, write.event_time_us // HOUR_US, write.event_time_us, write.invoked_us)
        db.execute("INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, write.is_deleted, write.record))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
