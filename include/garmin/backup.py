"""Athletes as the directories that garminexport's `garmin-backup` writes: a few files an activity, by start and id.

Names are `{start}_{id}_summary.json`, `{start}_{id}.fit` and so on, the start in UTC (`2025-05-02T05:00:00+00:00`, on
Windows with `_` for `:`). Of them are read:

- summaries, handed out byte for byte: Garmin's answer, which says nothing about VO2max;
- FIT files, of which a JSON document of the session is handed out: `{"activityId": …, "fitSession": {…}}`, the fields
  of `include.garmin.fit.FitSession`. VO2max comes from here. Of a chain of activities in one file the one that began
  nearest to the file's start has the file's id, each other its id and a number (`101-2`);
- METRICS files, in it and below: by name (`…_METRICS.fit`) or by what their first bytes say; so GarminDB's folder,
  which has `FitFiles` in it, is a backup too. See `include.garmin.metrics_documents`;
- `activity_list*.json`: pages of the activity list, where someone has kept them there.

Left alone are `_details.json` (every second of the activity: megabytes, and nothing that the tables hold), `.gpx`,
`.tcx`, `.not_found` (the files that Garmin does not have: one that is absent is no error) and all other names.

A file that cannot be used never stops the others. It is handed out as a document that is no JSON, which `write_raw`
counts and puts into quarantine: broken JSON as it is, any other as one line of text that tells the file and the reason.
As raw then does not hold it, it is tried again by the next run, when it may have been mended.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from include.garmin.dates import first_read_day, read_day
from include.garmin.document import ATHLETE_ID, NO_DAY, Held, RawDocument, SourceError, UnknownAthlete, nothing_held
from include.garmin.fit import MAX_FIT_BYTES, FitError, FitSession, read_sessions
from include.garmin.metrics_documents import metrics_in_folder, metrics_paths
from include.garmin.raw import MAX_DOCUMENT_BYTES

EXPECTED = "{start}_{id}_summary.json and {start}_{id}.fit as `garmin-backup` writes them, in it or in its sub-folders"

_ACTIVITY_FILE = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9:_.+-]*_(?P<id>[0-9]{1,14})(?P<suffix>_summary\.json|\.fit)"
)
_PAGE_FILE = re.compile(r"activity_list[A-Za-z0-9_-]*\.json")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_START_LENGTH = len("2025-05-02T05:00:00")
_GARMINDB = "FitFiles"
_ONE_DAY = timedelta(days=1)
_FIRST_DAY, _LAST_DAY = date(1970, 1, 2), date(2200, 12, 31)


class _Unusable(Exception):
    """A file that cannot be read; the message is the reason."""


@dataclass(frozen=True)
class _Activity:
    """The files of one activity; `utc_day` is the day on which it began in UTC, of the files' names."""

    activity_id: str
    utc_day: date
    summary: Path | None
    fit: Path | None


class BackupSource:
    """A backup directory with one sub-directory an athlete, or itself the backup of one athlete."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError when `path` is no directory or holds no backup."""
        if not path.is_dir():
            raise SourceError(f"backup folder {path} is not a folder: expected {EXPECTED}")
        self._root = path.resolve()
        folders = [self._root] if _is_backup(self._root) else sorted(filter(_is_backup, self._root.iterdir()))
        if not folders:
            raise SourceError(f"backup folder {path} holds no backup: expected {EXPECTED}")
        for folder in folders:
            if not ATHLETE_ID.fullmatch(folder.name):
                raise SourceError(f"{folder}: an athlete's folder is named with letters, digits, '-' and '_' (1 to 64)")
            if not folder.resolve().is_relative_to(self._root):
                raise SourceError(f"{folder} is a link that leads out of {self._root}")
        self._folders = {folder.name: folder for folder in folders}

    def athletes(self) -> list[str]:
        return sorted(self._folders)

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        """Summaries and sessions of the activities of the range, by day, pages of the activity list, METRICS files.

        A FIT file whose session is `held` is not decoded again.
        """
        if athlete_id not in self._folders:
            raise UnknownAthlete(f"no athlete {athlete_id!r} in the backup; there are {', '.join(self.athletes())}")
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        asked = max(start or _FIRST_DAY, _FIRST_DAY), min(end or _LAST_DAY, _LAST_DAY)
        return self._documents(self._folders[athlete_id], *asked, held)

    def _documents(self, folder: Path, start: date, end: date, held: Held) -> Iterator[RawDocument]:
        activities, pages = _scan(folder)
        for activity in activities:
            # The day at the place is at most one off the day in UTC.
            if start - _ONE_DAY <= activity.utc_day <= end + _ONE_DAY:
                yield from (each for each in self._of_activity(activity, held) if start <= each.last_day <= end)
        for path in pages:
            page, days = self._page(path)
            if not days or (days[0] <= end and start <= days[-1]):
                yield page
        yield from metrics_in_folder(folder, start, end)

    def _of_activity(self, activity: _Activity, held: Held) -> Iterator[RawDocument]:
        local_day = None
        if activity.summary is not None:
            try:
                body = self._read(activity.summary, MAX_DOCUMENT_BYTES)
            except _Unusable as reason:
                yield _unusable(activity.activity_id, activity.utc_day, activity.summary, reason)
            else:
                local_day = _day_of_summary(body)
                yield RawDocument("activity", local_day or activity.utc_day, activity.activity_id, body)
        if activity.fit is not None:
            name = f"{activity.activity_id}-fit"
            near = (activity.utc_day, activity.utc_day - _ONE_DAY, activity.utc_day + _ONE_DAY)
            if not any(held("activity", day, name) for day in ((local_day,) if local_day else near)):
                yield from self._fit(activity, activity.fit, name, local_day)

    def _fit(self, activity: _Activity, path: Path, name: str, local_day: date | None) -> Iterator[RawDocument]:
        try:
            sessions = read_sessions(self._read(path, MAX_FIT_BYTES))
        except (_Unusable, FitError) as reason:
            yield _unusable(name, local_day or activity.utc_day, path, reason)
            return
        own = min(sessions, key=lambda session: _seconds_apart(session, path.name))
        yield _session_document(int(activity.activity_id), own, name, local_day)
        for number, session in enumerate((each for each in sessions if each is not own), 2):
            yield _session_document(f"{activity.activity_id}-{number}", session, f"{name}-{number}", None)

    def _page(self, path: Path) -> tuple[RawDocument, list[date]]:
        """A page of the activity list, and the days of its activities."""
        try:
            body = self._read(path, MAX_DOCUMENT_BYTES)
        except _Unusable as reason:
            return _unusable(path.stem, NO_DAY, path, reason, "activity_list"), []
        days = _days_of_page(body)
        return RawDocument("activity_list", days[-1] if days else NO_DAY, path.stem, body), days

    def _read(self, path: Path, limit: int) -> bytes:
        try:
            if not path.resolve().is_relative_to(self._root):
                raise _Unusable("a link that leads out of the backup folder")
            if path.exists() and not path.is_file():
                raise _Unusable("no regular file")
            with path.open("rb") as file:
                body = file.read(limit + 1)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            raise _Unusable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if len(body) > limit:
            raise _Unusable(f"larger than {limit} bytes")
        return body


def _session_document(activity_id: int | str, session: FitSession, name: str, local_day: date | None) -> RawDocument:
    day = local_day or (session.start_local or session.started_at_utc).date()
    value = {"activityId": activity_id, "fitSession": session.as_json()}
    return RawDocument("activity", day, name, json.dumps(value, sort_keys=True).encode())


def _seconds_apart(session: FitSession, file_name: str) -> float:
    """Between a session's start and that of the file's name, both in UTC; 0 when the name's cannot be read."""
    try:
        start = datetime.fromisoformat(file_name[:_START_LENGTH].replace("_", ":"))
    except ValueError:
        return 0.0
    return abs((session.started_at_utc.replace(tzinfo=None) - start).total_seconds())


def _scan(folder: Path) -> tuple[list[_Activity], list[Path]]:
    """Activities by day and id, and pages by name; of two files of one activity and kind the one written last."""
    days: dict[str, date] = {}
    newest: dict[tuple[str, str], tuple[float, str]] = {}
    pages = []
    for entry in _files(folder):
        if _PAGE_FILE.fullmatch(entry.name):
            pages.append(Path(entry.path))
        match = _ACTIVITY_FILE.fullmatch(entry.name)
        day = _day(match["day"]) if match else None
        if match is None or day is None:
            continue
        slot, written = (match["id"], match["suffix"]), (entry.stat(follow_symlinks=False).st_mtime, entry.path)
        if slot not in newest or written > newest[slot]:
            newest[slot] = written
            days[match["id"]] = day
    activities = [
        _Activity(activity_id, day, _path(newest, activity_id, "_summary.json"), _path(newest, activity_id, ".fit"))
        for activity_id, day in days.items()
    ]
    return sorted(activities, key=lambda each: (each.utc_day, int(each.activity_id))), sorted(pages)


def _path(newest: dict[tuple[str, str], tuple[float, str]], activity_id: str, suffix: str) -> Path | None:
    written = newest.get((activity_id, suffix))
    return Path(written[1]) if written else None


def _files(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Regular files, and links, whose ends are looked at when they are read."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if entry.is_symlink() or entry.is_file())
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _is_backup(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if any(_ACTIVITY_FILE.fullmatch(entry.name) or _PAGE_FILE.fullmatch(entry.name) for entry in _files(folder)):
        return True
    # Below a folder that is not GarminDB's there may be athletes: each is to be found by itself.
    garmindb = folder / _GARMINDB
    found = metrics_paths(garmindb) if garmindb.is_dir() else metrics_paths(folder, below=False)
    return next(found, None) is not None


def _unusable(name: str, last_day: date, path: Path, reason: Exception, kind: str = "activity") -> RawDocument:
    told = f"{path.name}: {reason}"
    return RawDocument(kind, last_day, name, told.encode("utf-8", "replace"), unreadable=told)


def _day_of_summary(body: bytes) -> date | None:
    """The local day of an `/activity/{id}` answer; None when it is broken or does not tell."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    summary = value.get("summaryDTO") if isinstance(value, dict) else None
    return _known(first_read_day(summary)) if isinstance(summary, dict) else None


def _days_of_page(body: bytes) -> list[date]:
    """The local days of a page's activities, sorted; none when it is broken."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    items = value if isinstance(value, list) else []
    return sorted(filter(None, (_known(first_read_day(item)) for item in items if isinstance(item, dict))))


def _day(text: object) -> date | None:
    if not isinstance(text, str) or not _DAY.match(text):
        return None
    return _known(read_day(text[:10]))


def _known(day: date | None) -> date | None:
    return day if day is not None and _FIRST_DAY <= day <= _LAST_DAY else None
