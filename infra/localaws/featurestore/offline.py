"""The offline store: waiting records written to S3 as Parquet, partitioned by the hour of their event time.

AWS buffers what was put, partition by partition, and writes every record within 15 minutes. So does this module, but
it need not take so long: once the puts into a group have paused, its partitions are written at different moments, in
the last third of the delay that the server was started with, counted from the last put. Writing while puts go on
would cost a file for nearly every record, as each day of an athlete's history is a partition of its own. Until they
are written no reader sees the records: no listing and no other request brings them forward.
"""

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from infra.localaws.featurestore.parquet import parquet_bodies
from infra.localaws.featurestore.records import OfflineTable, PlannedFile, RecordStore
from infra.localaws.world import log

LONGEST_S = 900.0
"""AWS's bound from a put to its object in S3, however long the puts go on."""
STEPS = 8
"""At so many moments partitions are written: few enough to write many at once."""
RETRY_S = 5.0
"""Until files that could not be written are tried again: a right that comes back is soon used, as on AWS."""
FILES_A_COMMIT = 100

PutFile = Callable[[OfflineTable, str, bytes], Any]
"""Writes a file of an offline store, under the role of its group: table, key, body."""


@dataclass(frozen=True)
class Delay:
    """When the partitions of a group become objects; the same for the same seed, group and partition."""

    longest_s: float
    seed: int

    @property
    def first_s(self) -> float:
        """Seconds from the last put to the earliest moment at which any partition is written."""
        return self._moment(1)

    def of(self, group_key: str, hour: int) -> float:
        """Seconds from the last put of a group to the moment at which the partition of `hour` is written.

        The time of the group's creation, which its key ends with, does not count: a second run is like the first.
        """
        name = group_key.partition("@")[0]
        digest = hashlib.sha256(f"{self.seed}/{name}/{hour}".encode()).digest()
        return self._moment(digest[0] % STEPS + 1)

    def _moment(self, step: int) -> float:
        return self.longest_s * (2 * STEPS + step) / (3 * STEPS)


@dataclass(frozen=True)
class _Buffer:
    """Records of one group that wait: when the oldest and the last of them came (monotonic seconds)."""

    since: float
    last_put: float


class Flusher:
    """Writes waiting records to S3 by a thread of its own."""

    def __init__(self, records: RecordStore, put: PutFile, delay: Delay) -> None:
        self._records = records
        self._put = put
        self._delay = delay
        self._flushing = threading.RLock()
        self._lock = threading.Lock()
        self._buffers: dict[str, _Buffer] = {}
        self._faults: dict[str, str] = {}
        self._waiting = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the thread; records that an earlier run left have their delay from when they were put."""
        began = time.monotonic() - time.time()
        for group_key, first_us, last_us in self._records.waiting_groups():
            self._buffers[group_key] = _Buffer(began + first_us / 1e6, began + last_us / 1e6)
            self._waiting.set()
        threading.Thread(target=self._run, name="feature-store-flush", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._waiting.set()

    def record_waits(self, group_key: str) -> None:
        """A put into a group was queued."""
        now = time.monotonic()
        with self._lock:
            buffer = self._buffers.get(group_key)
            self._buffers[group_key] = _Buffer(buffer.since if buffer else now, now)
        self._waiting.set()

    def flush_group(self, group_key: str) -> None:
        """Write what waits for a group now, before the group is deleted.

        Raises:
            Exception: whatever S3 raises (no such bucket); what was not written still waits.
        """
        self._write(group_key, set(self._records.waiting_hours(group_key)))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._waiting.wait()
            self._waiting.clear()
            while not self._stopped.is_set() and (pause_s := self._flush_due()) is not None:
                self._stopped.wait(pause_s)

    def _flush_due(self) -> float | None:
        """Write the partitions whose moment has come; the seconds until the next, None where nothing waits."""
        with self._lock:
            buffers = dict(self._buffers)
        pauses = []
        for group_key, buffer in buffers.items():
            try:
                pause_s = self._flush_buffer(group_key, buffer)
                self._faults.pop(group_key, None)
            except Exception as error:
                self._note_fault(group_key, str(error))
                pause_s = RETRY_S
            if pause_s is not None:
                pauses.append(pause_s)
        return min(pauses, default=None)

    def _note_fault(self, group_key: str, fault: str) -> None:
        """Say why the files of a group could not be written, once until the reason changes."""
        if self._faults.get(group_key) != fault:
            log.warning("offline store: %s; trying again every %.0f s", fault, RETRY_S)
            self._faults[group_key] = fault

    def _flush_buffer(self, group_key: str, buffer: _Buffer) -> float | None:
        """Write what is due of one group; the seconds until more is, None where nothing is left."""
        now = time.monotonic()
        ends_at = buffer.since + LONGEST_S
        opens_at = min(buffer.last_put + self._delay.first_s, ends_at)
        if now < opens_at:  # without a look at the records: puts may come by the hundred a second
            return opens_at - now
        due: dict[float, set[int]] = defaultdict(set)
        for hour in self._records.waiting_hours(group_key):
            due[min(buffer.last_put + self._delay.of(group_key, hour), ends_at)].add(hour)
        for moment in sorted(due):
            if moment <= now:
                self._write(group_key, due[moment])
        later = [moment for moment in due if moment > now]
        if later:
            return max(0.0, min(later) - time.monotonic())
        with self._lock:
            if self._buffers.get(group_key) == buffer:
                del self._buffers[group_key]
                return None
        return 0.0  # a put came meanwhile

    def _write(self, group_key: str, hours: set[int]) -> None:
        with self._flushing:
            files = self._records.plan(group_key, hours, time.time_ns() // 1000)
            for start in range(0, len(files), FILES_A_COMMIT):
                self._write_files(group_key, files[start : start + FILES_A_COMMIT])

    def _write_files(self, group_key: str, files: list[PlannedFile]) -> None:
        table = self._records.table(group_key)
        if table is not None:
            for file, body in zip(files, parquet_bodies(table.types, self._contents(files)), strict=True):
                if body is not None:
                    self._put(table, f"{table.prefix}/{file.key}", body)
        self._records.done(files)

    def _contents(self, files: list[PlannedFile]) -> Iterable[tuple[int, list[tuple[str, int, bool]]]]:
        return [(file.write_time_us, self._records.rows(file)) for file in files]
