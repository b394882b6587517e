"""FIT files: of activities, METRICS files, and zips of them as account exports hold."""

from datetime import datetime
from io import BytesIO
from random import Random

from include.garmin.export.measured import Member
from include.garmin.export.uploaded import uploaded_metrics
from include.garmin.fit import FitError, read_sessions
from include.garmin.fit_metrics import read_metrics
from tests.fuzz.target import Target, spoilt
from tests.garmin.export.builder import UPLOADS, uploaded_zip
from tests.garmin.fit_files import CYCLING, RUNNING, FitFile, activity_file, metrics_file

_EVENING = datetime(2025, 5, 2, 18)
_ACTIVITIES = (
    activity_file(records=20),
    activity_file(sports=(CYCLING, RUNNING), max_met=(520, 1), max_met_raw=(970_000, 960_000)),
    activity_file(endian=">", developer_fields=True, records=3),
)
_METRICS = (
    metrics_file((_EVENING, 50.31, 49.87), (_EVENING, 50.4, None)),
    metrics_file((_EVENING, 50.31, 49.87), utc_offset_s=7200, endian=">"),
)
_UPLOADS = (uploaded_zip([_METRICS[0], _ACTIVITIES[0], _METRICS[1]]), uploaded_zip(_METRICS, name="{}_METRICS.fit"))
_FRAMED = slice(14, -2)


def _files(random: Random, sound: tuple[bytes, ...]) -> bytes:
    """A spoilt file or a chain of them; mostly with frames that fit, since else the CRC alone is looked at."""
    if random.random() < 0.2:
        return spoilt(random, sound)
    data = [bytes(body[_FRAMED]) for body in sound]
    return b"".join(FitFile(body=bytearray(spoilt(random, data))).finish() for _ in range(random.choice((1, 1, 1, 2))))


def _read_sessions(body: bytes) -> None:
    try:
        sessions = read_sessions(body)
    except FitError as error:
        assert "\n" not in str(error)
    else:
        assert all(session.as_json() for session in sessions)


def _read_metrics(body: bytes) -> None:
    try:
        updates = read_metrics(body)
    except FitError as error:
        assert "\n" not in str(error)
    else:
        assert all(update.as_json() for update in updates)


def _read_uploads(body: bytes) -> None:
    for document in uploaded_metrics([Member(f"{UPLOADS}/1.zip", len(body), lambda: BytesIO(body))], None, None):
        assert document.unreadable is None or "\n" not in document.unreadable


TARGETS = [
    Target("fit activity", lambda random: _files(random, _ACTIVITIES), _read_sessions),
    Target("fit metrics", lambda random: _files(random, _METRICS), _read_metrics),
    Target("fit uploads", lambda random: spoilt(random, _UPLOADS), _read_uploads),
]
