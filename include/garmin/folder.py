"""Athletes as files: `PATH/{athlete}/activities.json`, and where there are any `daily.json` and METRICS files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.garmin.dates import ACTIVITY_STARTS, first_read_day
from include.garmin.document import ATHLETE_ID, NO_DAY, Held, RawDocument, SourceError, UnknownAthlete, nothing_held
from include.garmin.metrics_documents import metrics_in_folder
from include.garmin.raw import MAX_DOCUMENT_BYTES

ACTIVITIES = "activities.json"
DAILY = "daily.json"
KEYS_SHOWN, LONGEST_KEY = 5, 40
"""So much of a row is shown by which its owner knows it again."""


class FolderSource:
    """A folder with one sub-folder an athlete, or itself the folder of one athlete.

    A file is handed out whole and byte for byte, whatever range is asked: it is local, and content that raw
    already holds is not written twice. A range only decides whether a file has a day in it at all.
    """

    def __init__(self, path: Path) -> None:
        """Raises SourceError when `path` is no folder or holds no athlete."""
        if not path.is_dir():
            raise SourceError(f"source folder {path} is not a folder")
        self._folders = {path.resolve().name: path} if (path / ACTIVITIES).is_file() else _athletes_in(path)
        if not self._folders:
            raise SourceError(f"source folder {path} holds no athlete: expected {ACTIVITIES} or */{ACTIVITIES}")
        for athlete_id, folder in self._folders.items():
            if not ATHLETE_ID.fullmatch(athlete_id):
                raise SourceError(f"{folder}: an athlete's folder is named with letters, digits, '-' and '_' (1 to 64)")

    def athletes(self) -> list[str]:
        return sorted(self._folders)

    def fetch(
        self,
        athlete_id: str,
        start: date | None,
        end: date | None,
        held: Held = nothing_held,  # noqa: ARG002 - nothing is asked over a network
    ) -> Iterator[RawDocument]:
        """Both files as they are, then the updates in METRICS files in the folder and below.

        Raises:
            UnknownAthlete: there is no folder of this athlete.
            SourceError: `start` is after `end`, or a file cannot be read or is not a JSON list; after the last
                document: of a file no row has a day, so that nothing of it will be understood.
        """
        if athlete_id not in self._folders:
            raise UnknownAthlete(
                f"no athlete {athlete_id!r} in the source folder; there are {', '.join(self.athletes())}"
            )
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        folder = self._folders[athlete_id]
        # Both are opened before the first is handed out: a file that is no list refuses the athlete.
        files = [_read(folder / ACTIVITIES, "activity_list", ACTIVITY_STARTS)]
        if (folder / DAILY).is_file():
            files.append(_read(folder / DAILY, "day", ("calendarDate",)))
        return _documents(files, metrics_in_folder(folder, start, end), start, end)


@dataclass(frozen=True)
class _File:
    """A file as one document, and what is wrong with it when no row of it has a day."""

    document: RawDocument
    without_days: str | None

    def touches(self, start: date | None, end: date | None) -> bool:
        """Whether it has a day of `start` to `end`; one without days always does, so that it is not lost."""
        first, last = self.document.first_day or NO_DAY, self.document.last_day
        return last == NO_DAY or ((start is None or last >= start) and (end is None or first <= end))


def _documents(
    files: list[_File], updates: Iterator[RawDocument], start: date | None, end: date | None
) -> Iterator[RawDocument]:
    yield from (file.document for file in files if file.touches(start, end))
    yield from updates
    if lost := [file.without_days for file in files if file.without_days]:
        raise SourceError("; ".join(lost))


def _athletes_in(path: Path) -> dict[str, Path]:
    return {child.name: child for child in sorted(path.iterdir()) if (child / ACTIVITIES).is_file()}


def _read(path: Path, kind: str, day_fields: tuple[str, ...]) -> _File:
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise SourceError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes")
        body = path.read_bytes()
        rows = json.loads(body)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise SourceError(f"{path}: expected a JSON list, found {type(rows).__name__}")
    days = sorted(filter(None, (first_read_day(row, day_fields) for row in rows if isinstance(row, dict))))
    first, last = (days[0], days[-1]) if days else (NO_DAY, NO_DAY)
    without_days = None
    if rows and not days:
        without_days = f"{path}: none of its {len(rows)} rows has a day: expected {' or '.join(day_fields)}, found "
        without_days += _look(rows[0])
    return _File(RawDocument(kind, last, path.stem, body, first_day=first), without_days)


def _look(row: object) -> str:
    if not isinstance(row, dict):
        return type(row).__name__
    keys = ", ".join(f"{key[:LONGEST_KEY]!a}" for key in list(row)[:KEYS_SHOWN])
    return f"the keys {keys}" if row else "no keys"
