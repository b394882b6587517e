"""METRICS files as raw documents: the updates of VO2max of a calendar quarter in one, each update once.

A watch writes a file of some hundred bytes whenever it works VO2max out anew, hundreds a year. Their updates are
gathered: `[{"fitMaxMet": {…}}, …]`, the fields of `include.garmin.fit_metrics.MaxMet`, by time. The same update in
several files is one, and whatever files the updates came in, the document of a quarter is the same to the byte.
"""

import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from include.garmin.document import NO_DAY, RawDocument
from include.garmin.fit_frames import FitError
from include.garmin.fit_metrics import HEAD_BYTES, MAX_METRICS_BYTES, MaxMet, is_metrics, read_metrics

KIND = "max_metrics"
MAX_FILES = 500_000
"""FIT files that are looked at; twenty years of several a day are about 50,000."""
MAX_KEPT = 200_000
"""Updates that are kept; twenty years of several a day are about 20,000."""
MAX_UNREADABLE = 1000
"""Files of which it is told why they could not be read."""
_ONE_DAY = timedelta(days=1)


class Metrics:
    """Gathers METRICS files and hands out the documents that they make."""

    def __init__(self) -> None:
        self._updates: dict[str, dict[str, MaxMet]] = {}
        self._unreadable: list[RawDocument] = []
        self._count = 0

    def add(self, name: str, body: bytes) -> None:
        """Take in the METRICS file called `name`; one that is broken becomes a document that tells why."""
        try:
            found = read_metrics(body)
        except FitError as reason:
            self.add_unreadable(name, str(reason))
            return
        for update in found:
            quarter = self._updates.setdefault(_quarter(_day(update)), {})
            text = json.dumps({"fitMaxMet": update.as_json()}, sort_keys=True)
            if text not in quarter and self._count < MAX_KEPT:
                quarter[text] = update
                self._count += 1

    def add_unreadable(self, name: str, reason: str) -> None:
        """Take note of a METRICS file that could not be read."""
        reason = f"{name[:200]!a}: {reason}"
        if len(self._unreadable) >= MAX_UNREADABLE:
            return
        stem = name.rpartition("/")[2][:100]
        self._unreadable.append(
            RawDocument(KIND, NO_DAY, f"unreadable-{stem}", reason.encode(), unreadable=reason),
        )

    def documents(self, start: date | None, end: date | None) -> Iterator[RawDocument]:
        """The quarters that have an update in the range, whole; then what could not be read."""
        for name, quarter in sorted(self._updates.items()):
            in_order = sorted((update.updated_at_utc, text) for text, update in quarter.items())
            days = [_day(update) for update in quarter.values()]
            first, last = min(days), max(days)
            # The day at the place is at most one off the day in UTC.
            if (start is None or last + _ONE_DAY >= start) and (end is None or first - _ONE_DAY <= end):
                body = "[" + ",\n".join(text for _, text in in_order) + "]"
                yield RawDocument(KIND, last, f"fit-metrics-{name}", body.encode())
        yield from self._unreadable


def metrics_in_folder(folder: Path, start: date | None, end: date | None) -> Iterator[RawDocument]:
    """The documents of all METRICS files in a folder and below, as GarminDB and others lay them out."""
    metrics = Metrics()
    for path in metrics_paths(folder):
        try:
            with path.open("rb") as file:
                body = file.read(MAX_METRICS_BYTES + 1)
        except OSError as error:
            metrics.add_unreadable(path.name, f"cannot be read: {error.strerror or error}")
            continue
        if len(body) > MAX_METRICS_BYTES:
            metrics.add_unreadable(path.name, f"larger than {MAX_METRICS_BYTES} bytes")
        else:
            metrics.add(path.name, body)
    yield from metrics.documents(start, end)


def metrics_paths(folder: Path, *, below: bool = True) -> Iterator[Path]:
    """The METRICS files in a folder and below, by name; links are not followed, other FIT files are opened to look."""
    looked_at = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(folders) if below else []
        for name in sorted(names):
            path = Path(place, name)
            if not name.lower().endswith(".fit") or path.is_symlink():
                continue
            looked_at += 1
            if looked_at > MAX_FILES:
                return
            if is_metrics(name, _head(path)):
                yield path


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _day(update: MaxMet) -> date:
    return (update.updated_local or update.updated_at_utc).date()


def _quarter(day: date) -> str:
    return f"{day.year}q{(day.month + 2) // 3}"
