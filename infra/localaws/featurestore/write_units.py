"""Write request units: what one record identifier may take a second before AWS throttles it.

A put or delete costs a unit for each KB that it begins, whatever stores it goes to. AWS does not say how it weighs a
record; names and values count here, as in DynamoDB.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

WRITE_UNITS_PER_S = 500
"""AWS's quota of one record identifier of a feature group."""
UNIT_BYTES = 1024
_REMEMBERED = 10_000


@dataclass(frozen=True)
class _Bucket:
    """Units left at a moment (monotonic seconds)."""

    units: float
    at: float


class WriteUnits:
    """A token bucket for each record identifier, which holds what is allowed in a second."""

    def __init__(self, units_per_s: int = WRITE_UNITS_PER_S) -> None:
        self._units_per_s = units_per_s
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, group_key: str, record_id: str, units: int) -> bool:
        """Take the units of a write; False where the record identifier has used up what a second allows."""
        now = time.monotonic()
        key = (group_key, record_id)
        with self._lock:
            bucket = self._buckets.pop(key, None)
            left = self._units_per_s if bucket is None else self._refilled(bucket, now)
            allowed = left >= min(units, self._units_per_s)
            self._buckets[key] = _Bucket(left - units if allowed else left, now)
            if len(self._buckets) > _REMEMBERED:
                self._forget_full(now)
        return allowed

    def _refilled(self, bucket: _Bucket, now: float) -> float:
        return min(float(self._units_per_s), bucket.units + (now - bucket.at) * self._units_per_s)

    def _forget_full(self, now: float) -> None:
        full = float(self._units_per_s)
        self._buckets = {k: b for k, b in self._buckets.items() if self._refilled(b, now) < full}


def units_of(record: Iterable[dict[str, str]]) -> int:
    """The units that a record takes, at least one."""
    size = sum(len(f["FeatureName"].encode()) + len(f["ValueAsString"].encode()) for f in record)
    return max(1, -(-size // UNIT_BYTES))
