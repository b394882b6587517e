"""The offline store: waiting records written to S3 as Parquet, partitioned by the hour of their event time.

AWS buffers up to 15 minutes. Years of daily history are a thousand hours, hence a thousand files a flush however
few records each holds; flushing after every burst would multiply them. So records wait until puts have paused or
the oldest has waited long enough, and whoever lists the bucket under an offline store flushes it first: a reader
never sees less than everything that was acknowledged.
"""

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from infra.localaws.featurestore.records import OfflineTable, PlannedFile, RecordStore
from infra.localaws.world import log

PAUSE_S = 30.0
OLDEST_S = 300.0
RETRY_S = 30.0
FILES_A_COMMIT = 100

PutBytes = Callable[[str, str, bytes], Any]
Row = tuple[str, int, bool]


class Flusher:
    """Writes waiting records to S3, by its own thread or at once."""

    def __init__(self, records: RecordStore, put_bytes: PutBytes) -> None:
        self._records = records
        self._put_bytes = put_bytes
        self._flushing = threading.RLock()
        self._waiting = threading.Event()
        self._stopped = threading.Event()
        self._last_put = 0.0

    def start(self) -> None:
        """Start the thread; records left by an earlier run are flushed first."""
        if self._records.has_pending():
            self._waiting.set()
        threading.Thread(target=self._run, name="feature-store-flush", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._waiting.set()

    def record_waits(self) -> None:
        """A put was queued."""
        self._last_put = time.monotonic()
        self._waiting.set()

    def flush_under(self, bucket: str, prefix: str) -> None:
        """Flush if anything that waits will lie under `prefix`; a failure is the thread's to report and repeat."""
        for table in self._records.waiting_tables():
            inside = table.prefix.startswith(prefix) or prefix.startswith(table.prefix)
            if table.bucket == bucket and inside:
                with contextlib.suppress(Exception):
                    self.flush()
                return

    def flush(self) -> int:
        """Write every waiting record now; returns the number of files.

        Raises:
            Exception: whatever S3 raises (no such bucket); what was not written still waits.
        """
        if not self._records.has_pending():
            return 0
        with self._flushing:
            written = 0
            failures: dict[str, Exception] = {}
            while files := self._planned(failures):
                for start in range(0, len(files), FILES_A_COMMIT):
                    written += self._write_all(files[start : start + FILES_A_COMMIT], failures)
            for failure in failures.values():
                raise failure
            return written

    def _planned(self, failures: dict[str, Exception]) -> list[PlannedFile]:
        return [file for file in self._records.plan(time.time_ns() // 1000) if file.group_key not in failures]

    def _write_all(self, files: list[PlannedFile], failures: dict[str, Exception]) -> int:
        """Write what can be written; a group that fails does not hold up the others."""
        done = []
        for file in files:
            if file.group_key not in failures:
                try:
                    self._write(file)
                    done.append(file)
                except Exception as error:
                    failures[file.group_key] = error
        self._records.done(done)
        return len(done)

    def _write(self, file: PlannedFile) -> None:
        table, rows = self._records.table(file.group_key), self._records.rows(file)
        if table is None or not rows:
            return
        self._put_bytes(table.bucket, f"{table.prefix}/{file.key}", parquet(table, rows, file.write_time_us))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._waiting.wait()
            self._await_pause()
            if self._stopped.is_set():
                return
            self._waiting.clear()
            try:
                self.flush()
            except Exception as error:
                log.warning("offline store: %s; trying again in %.0f s", error, RETRY_S)
                self._waiting.set()
                self._stopped.wait(RETRY_S)

    def _await_pause(self) -> None:
        oldest = time.monotonic()
        while not self._stopped.is_set():
            now = time.monotonic()
            due = min(self._last_put + PAUSE_S, oldest + OLDEST_S)
            if now >= due:
                return
            self._stopped.wait(due - now)


def parquet(table: OfflineTable, rows: list[Row], write_time_us: int) -> bytes:
    """One file: the group's features (null where a record has none) and AWS's three columns of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [{f["FeatureName"]: f["ValueAsString"] for f in json.loads(record)} for record, _, _ in rows]
    arrow = {"String": (pa.string(), str), "Integral": (pa.int64(), int), "Fractional": (pa.float64(), float)}
    names, columns = [], []
    for name, feature_type in table.types.items():
        dtype, convert = arrow[feature_type]
        texts = (record.get(name) for record in records)
        names.append(name)
        columns.append(pa.array([None if text is None else convert(text) for text in texts], dtype))
    moment = pa.timestamp("us", tz="UTC")
    names += ["write_time", "api_invocation_time", "is_deleted"]
    columns.append(pa.array([write_time_us] * len(rows), moment))
    columns.append(pa.array([invoked_us for _, invoked_us, _ in rows], moment))
    columns.append(pa.array([is_deleted for _, _, is_deleted in rows], pa.bool_()))
    body = io.BytesIO()
    pq.write_table(pa.table(columns, names=names), body, use_dictionary=False, write_statistics=False)
    return body.getvalue()
