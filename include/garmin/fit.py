"""The session of one FIT file: what a watch summed up of an activity, and the VO2max that it estimated from it.

VO2max is not in Garmin's activity summaries; in a file it is found in two places:

- message 229, `max_met_data`: see `include.garmin.fit_metrics`;
- message 140, which the profile does not name: field 7 is the maximal MET in 1/65536, and one MET is 3.5 ml/kg/min, so
  VO2max = raw × 3.5 / 65536. Worked out by users: Runalyze issue 2264 (865718 / 64 × 3.5 / 1024 = 46.23 where the
  watch showed 46), fit-dashboard pull request 7; Gadgetbridge names it `met_max` of `physiological_metrics`. It is the
  value after the activity, and watches write it to activities that say nothing about VO2max as well.

Watches of 2014 to 2016 wrote it into message 79, field 0, and that is kept and not read: it is the value *before* the
activity, and users have found two scales for it, MET times 1000 and times 1024, that lie 2.4 % apart (Runalyze issues
1725 and 1794). A wrong one would put a step of more than a point into the series, where the watch is changed.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import fitdecode

from include.garmin.fit_frames import MAX_FIT_BYTES, FitError, FitFile, as_file, fit_files, messages
from include.garmin.fit_metrics import (
    ACTIVITY,
    FILE_ID,
    MAX_MET_DATA,
    MaxMet,
    fit_moment,
    max_mets,
    utc_offset,
    vo2max_of_met,
)

__all__ = ["MAX_FIT_BYTES", "FitError", "FitSession", "read_session", "read_sessions"]

MAX_SUMMARIES = 1000
"""Messages that a session is made of; an activity of one session has about five."""

SESSION, PHYSIOLOGICAL_METRICS, USER_METRICS = 18, 140, 79
MET_MAX, MET_MAX_BEFORE = 7, 0
_WANTED = frozenset({FILE_ID, SESSION, ACTIVITY, MAX_MET_DATA, PHYSIOLOGICAL_METRICS, USER_METRICS})
_OF_PROFILE = frozenset({FILE_ID, SESSION, ACTIVITY})
_LONGEST_NAME = 64
_NO_SUB_SPORTS = frozenset({None, "generic"})
_LARGEST_OF_ALL = ("max_hr_bpm", "aerobic_te", "anaerobic_te")


@dataclass(frozen=True)
class FitSession:
    """One activity. Several sessions of one sport are one activity; of several sports they are multisport.

    A multisport activity is summed up without averages and without VO2max.

    `sport` and `sub_sport` are names of the FIT profile (`multisport` for several sports), `start_local` is the wall
    clock at the place, without zone (None: the file does not tell), `timer_s` is without pauses, `elapsed_s` from the
    first start to the last end, `vo2max` (the activity's) and `day_vo2max` in ml/kg/min to 0.01, `met_max_before` the
    field of message 79 as stored, `device_id` the unit id that Garmin Connect calls `deviceId`.
    """

    sport: str | None
    sub_sport: str | None
    started_at_utc: datetime
    start_local: datetime | None
    sessions: int
    timer_s: float | None
    elapsed_s: float | None
    distance_m: float | None
    ascent_m: float | None
    avg_speed_mps: float | None
    avg_hr_bpm: float | None
    max_hr_bpm: float | None
    avg_power_w: float | None
    energy_kcal: float | None
    aerobic_te: float | None
    anaerobic_te: float | None
    training_load: float | None
    vo2max: float | None
    vo2max_sport: str | None
    day_vo2max: float | None
    met_max_before: int | None
    device_id: str | None
    device: str | None

    def as_json(self) -> dict[str, Any]:
        """The fields by their names; times as `YYYY-MM-DDTHH:MM:SS`, what is unknown left out."""
        values = dataclasses.asdict(self) | {
            "started_at_utc": self.started_at_utc.replace(tzinfo=None).isoformat(),
            "start_local": self.start_local.isoformat() if self.start_local else None,
        }
        return {name: value for name, value in values.items() if value is not None}


Fields = dict[str | int, Any]
"""Field name -> value, without lists and what was not measured."""


@dataclass(frozen=True)
class _Found:
    """The messages of one file that a session is made of, in order."""

    by_name: Sequence[tuple[str, Fields]]
    max_mets: Sequence[MaxMet]
    met_max_raw: Sequence[int]
    met_max_before: Sequence[int]

    def last(self, name: str) -> Fields:
        return next((fields for found, fields in reversed(self.by_name) if found == name), {})

    def sessions(self) -> list[Fields]:
        return [fields for name, fields in self.by_name if name == "session"]


def read_session(body: bytes) -> FitSession:
    """The first activity in the bytes of a FIT file. Raises FitError as `read_sessions`."""
    return read_sessions(body)[0]


def read_sessions(body: bytes) -> list[FitSession]:
    """The activities in the bytes of a FIT file, at least one; memory does not grow with their messages.

    A body may be a chain of files. Those that are broken or no activity are passed over when there is another.

    Raises:
        FitError: no FIT file, or none in it that is a whole activity within the bounds; the reason is the first file's.
    """
    sessions: list[FitSession] = []
    problems: list[FitError] = []
    for file in fit_files(body):
        try:
            session = _read(file)
        except FitError as error:
            problems.append(error)
        else:
            # A chain that holds an activity twice tells of it once.
            if session not in sessions:
                sessions.append(session)
    if not sessions:
        raise problems[0]
    return sessions


def _read(file: FitFile) -> FitSession:
    if file.problem is not None:
        raise FitError(file.problem)
    try:
        return _session(_find(file))
    except FitError:
        raise
    except fitdecode.FitError as error:
        raise FitError(str(error)) from error
    except Exception as error:  # the decoder meets hostile bytes with whatever its code runs into
        raise FitError(" ".join(f"malformed: {type(error).__name__} {error}".split())) from error


def _find(file: FitFile) -> _Found:
    wanted = []
    for message in messages(file.data, _WANTED):
        wanted.append(message)
        if len(wanted) > MAX_SUMMARIES:
            raise FitError(f"more than {MAX_SUMMARIES} messages about sessions")
    return _Found(
        by_name=_decoded(as_file(message for message in wanted if message.number in _OF_PROFILE)),
        max_mets=max_mets(wanted),
        met_max_raw=[
            each.integers()[MET_MAX]
            for each in wanted
            if each.number == PHYSIOLOGICAL_METRICS and MET_MAX in each.integers()
        ],
        met_max_before=[
            each.integers()[MET_MAX_BEFORE]
            for each in wanted
            if each.number == USER_METRICS and MET_MAX_BEFORE in each.integers()
        ],
    )


def _decoded(body: bytes) -> list[tuple[str, Fields]]:
    """Name and fields of every message."""
    with fitdecode.FitReader(
        body,
        processor=None,
        check_crc=fitdecode.CrcCheck.DISABLED,
        error_handling=fitdecode.ErrorHandling.IGNORE,
    ) as reader:
        return [
            (
                frame.name,
                {each.name_or_num: each.value for each in frame.fields if isinstance(each.value, int | float | str)},
            )
            for frame in reader
            if frame.frame_type == fitdecode.FIT_FRAME_DATA
        ]


def _session(found: _Found) -> FitSession:
    file_id = found.last("file_id")
    if file_id.get("type") not in (None, "activity"):
        raise FitError(f"a FIT file of type {file_id['type']}, not of an activity")
    sessions = found.sessions()
    starts = [start for session in sessions if (start := _utc(session.get("start_time"))) is not None]
    if not starts:
        raise FitError("holds no session with a start time")
    sports = [sport for session in sessions if (sport := _name(session.get("sport"))) is not None]
    is_multisport = len(set(sports)) > 1
    activity = found.last("activity")
    offset = utc_offset(_utc(activity.get("local_timestamp")), _utc(activity.get("timestamp")))
    vo2max, vo2max_sport, day_vo2max = (None, None, None) if is_multisport else _vo2max(found)
    before = found.met_max_before[-1] if found.met_max_before and vo2max is None and not is_multisport else None
    figures = _figures(sessions[0]) if len(sessions) == 1 else _summed(sessions, has_averages=not is_multisport)
    return FitSession(
        sport="multisport" if is_multisport else next(iter(sports), None),
        sub_sport=None if is_multisport else _sub_sport(sessions),
        started_at_utc=min(starts),
        start_local=None if offset is None else min(starts).replace(tzinfo=None) + offset,
        sessions=len(sessions),
        **figures,
        vo2max=vo2max,
        vo2max_sport=vo2max_sport,
        day_vo2max=day_vo2max,
        met_max_before=before,
        device_id=_serial(file_id.get("serial_number")),
        device=_name(file_id.get("garmin_product")),
    )


def _sub_sport(sessions: Sequence[Fields]) -> str | None:
    """That of the longest session that has one: a run's second session is often without."""
    longest = sorted(sessions, key=lambda session: -(_number(session.get("total_timer_time")) or 0.0))
    names = [_name(session.get("sub_sport")) for session in longest]
    return next((name for name in names if name not in _NO_SUB_SPORTS), names[0])


def _figures(session: Fields) -> dict[str, float | None]:
    return {
        "timer_s": _number(session.get("total_timer_time")),
        "elapsed_s": _number(session.get("total_elapsed_time")),
        "distance_m": _number(session.get("total_distance")),
        "ascent_m": _number(session.get("total_ascent")),
        "avg_speed_mps": _number(session.get("enhanced_avg_speed")),
        "avg_hr_bpm": _number(session.get("avg_heart_rate")),
        "max_hr_bpm": _number(session.get("max_heart_rate")),
        "avg_power_w": _number(session.get("avg_power")),
        "energy_kcal": _number(session.get("total_calories")),
        "aerobic_te": _number(session.get("total_training_effect")),
        "anaerobic_te": _number(session.get("total_anaerobic_training_effect")),
        "training_load": _number(session.get("training_load_peak")),
    }


def _summed(sessions: Sequence[Fields], *, has_averages: bool) -> dict[str, float | None]:
    """Sums of what adds up, the largest of what does not, and averages by the time that each session took."""
    parts = [_figures(session) for session in sessions]
    figures: dict[str, float | None] = dict.fromkeys(parts[0])
    for name in figures:
        if name.startswith("avg_"):
            figures[name] = _average(parts, name) if has_averages else None
            continue
        known = [value for part in parts if (value := part[name]) is not None]
        if known:
            figures[name] = max(known) if name in _LARGEST_OF_ALL else sum(known)
    figures["elapsed_s"] = _elapsed(sessions) or figures["elapsed_s"]
    return figures


def _average(parts: Sequence[dict[str, float | None]], name: str) -> float | None:
    weighed = [(value, part["timer_s"] or 0.0) for part in parts if (value := part[name]) is not None]
    seconds = sum(each for _, each in weighed)
    if not seconds:
        return None
    return round(sum(value * each for value, each in weighed) / seconds, 3)


def _elapsed(sessions: Sequence[Fields]) -> float | None:
    """Seconds from the first start to the last end."""
    spans = [(_utc(each.get("start_time")), _number(each.get("total_elapsed_time"))) for each in sessions]
    known = [(start.timestamp(), start.timestamp() + seconds) for start, seconds in spans if start and seconds]
    return max(end for _, end in known) - min(start for start, _ in known) if known else None


def _vo2max(found: _Found) -> tuple[float | None, str | None, float | None]:
    """The activity's estimate, its sport where it has one, and the day's: of the last message that tells it.

    The published message goes before the unpublished one.
    """
    for update in reversed(found.max_mets):
        day = update.day_vo2max
        if day is not None or update.activity_vo2max is not None:
            return update.activity_vo2max or day, update.sport, day
    for raw in reversed(found.met_max_raw):
        if (value := vo2max_of_met(raw)) is not None:
            return value, None, None
    return None, None, None


def _utc(value: object) -> datetime | None:
    return fit_moment(_number(value))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _name(value: object) -> str | None:
    """A name of the profile, or the number of one that it does not know."""
    name = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return name if 0 < len(name) <= _LONGEST_NAME and name.isprintable() else None


def _serial(value: object) -> str | None:
    return str(value) if isinstance(value, int) and value else None
