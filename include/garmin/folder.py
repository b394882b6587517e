"""Athletes as files: `PATH/{athlete}/activities.json`, and where there are any `daily.json` and METRICS files."""

import json
import re
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path

from include.garmin.document import ATHLETE_ID, NO_DAY, Held, RawDocument, SourceError, UnknownAthlete, nothing_held
from include.garmin.metrics_documents import metrics_in_folder
from include.garmin.raw import MAX_DOCUMENT_BYTES

__all__ = ["NO_DAY", "FolderSource"]

ACTIVITIES = "activities.json"
DAILY = "daily.json"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


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
            SourceError: naming a JSON file that cannot be read or is no list.
        """
        if athlete_id not in self._folders:
            raise UnknownAthlete(
                f"no athlete {athlete_id!r} in the source folder; there are {', '.join(self.athletes())}"
            )
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        folder = self._folders[athlete_id]
        # Both are read before the first is handed out: an athlete is taken whole or not at all.
        documents = [_read(folder / ACTIVITIES, "activity_list", "startTimeLocal", (start, end))]
        if (folder / DAILY).is_file():
            documents.append(_read(folder / DAILY, "day", "calendarDate", (start, end)))
        found = (document for document in documents if document is not None)
        return chain(found, metrics_in_folder(folder, start, end))


def _athletes_in(path: Path) -> dict[str, Path]:
    return {child.name: child for child in sorted(path.iterdir()) if (child / ACTIVITIES).is_file()}


def _read(path: Path, kind: str, day_field: str, asked: tuple[date | None, date | None]) -> RawDocument | None:
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
    days = sorted(filter(None, (_day(row, day_field) for row in rows)))
    start, end = asked
    if days and ((start and days[-1] < start) or (end and days[0] > end)):
        return None
    return RawDocument(kind, days[-1] if days else NO_DAY, path.stem, body)


def _day(row: object, day_field: str) -> date | None:
    value = row.get(day_field) if isinstance(row, dict) else None
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None
