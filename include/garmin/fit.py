"""The session of one FIT file: what a watch summed up of an activity, and the VO2max that it estimated from it.

VO2max is not in Garmin's activity summaries; in a file it is found in two places:

- message 229, `max_met_data`, of Garmin's published FIT profile: `vo2_max` in tenths, with a sport of its own;
- message 140, which the profile does not name: field 7 is the maximal MET in 1/65536, and one MET is 3.5 ml/kg/min, so
  VO2max = raw × 3.5 / 65536. Worked out by users: Runalyze issue 2264 (865718 / 64 × 3.5 / 1024 = 46.23 where the
  watch showed 46), fit-dashboard pull request 7; Gadgetbridge names it `met_max` of `physiological_metrics`. It is the
  value after the activity, and watches write it to activities that say nothing about VO2max as well.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fitdecode
from fitdecode.processors import FIT_DATETIME_MIN, FIT_UTC_REFERENCE

MAX_FIT_BYTES = 32 * 1024 * 1024
"""An hour with a reading every second is about 160 kB; a day and a night of it 4 MB."""
MAX_MESSAGES = 500_000
MAX_SUMMARIES = 1000
"""Messages that a session is made of; an activity of one session has about five."""
MAX_DECODE_S = 120.0
"""An hour's activity takes about a third of a second."""

PHYSIOLOGICAL_METRICS = 140
MET_MAX = 7
MET_MAX_SCALE = 65_536
ML_KG_MIN_PER_MET = 3.5
_VO2MAX_RANGE = (10.0, 100.0)
"""Outside of it the undocumented field holds something else, or nothing (0)."""
_KEPT = frozenset({"file_id", "session", "activity", "max_met_data", f"unknown_{PHYSIOLOGICAL_METRICS}"})
_CLOCK_CHECK_EVERY = 1000
_CRC_BYTES = 2
_LONGEST_NAME = 64
_UTC_OFFSETS = (timedelta(hours=-12), timedelta(hours=14))
_QUARTER_HOUR = timedelta(minutes=15)


class FitError(Exception):
    """Not the FIT file of an activity, or a broken one; one line that says why."""


@dataclass(frozen=True)
class FitSession:
    """One activity. A file with several sessions (multisport) is summed up as one, without averages and VO2max.

    `sport` and `sub_sport` are names of the FIT profile (`multisport` for several sessions), `start_local` is the wall
    clock at the place, without zone (None: the file does not tell), `timer_s` is without pauses, `vo2max` in
    ml/kg/min to 0.01, `device_id` the unit id that Garmin Connect calls `deviceId`.
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
    device_id: str | None
    device: str | None

    def as_json(self) -> dict[str, Any]:
        """The fields by their names; times as `YYYY-MM-DDTHH:MM:SS`, what is unknown left out."""
        values = dataclasses.asdict(self) | {
            "started_at_utc": self.started_at_utc.replace(tzinfo=None).isoformat(),
            "start_local": self.start_local.isoformat() if self.start_local else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def read_session(body: bytes, clock: Callable[[], float] = time.monotonic) -> FitSession:
    """Decode the bytes of one FIT file; memory does not grow with the number of its messages.

    Raises:
        FitError: no FIT file, not of an activity, truncated, wrong CRC, several files in one, or over the bounds.
    """
    _check_frame(body)
    try:
        return _session(list(_messages(body, clock)))
    except FitError:
        raise
    except fitdecode.FitError as error:
        raise FitError(str(error)) from error
    except Exception as error:  # the decoder meets hostile bytes with whatever its code runs into
        raise FitError(" ".join(f"malformed: {type(error).__name__} {error}".split())) from error


def _check_frame(body: bytes) -> None:
    """Size, header and CRC of the whole: three times as fast as CRCs taken message by message."""
    if len(body) > MAX_FIT_BYTES:
        raise FitError(f"larger than {MAX_FIT_BYTES} bytes: {len(body)}")
    if body[:2] == b"PK":
        raise FitError("a zip archive, not a FIT file: unpack it")
    if body[8:12] != b".FIT":
        raise FitError("not a FIT file")
    header_bytes, data_bytes = body[0], int.from_bytes(body[4:8], "little")
    claimed = header_bytes + data_bytes + _CRC_BYTES
    if claimed > len(body):
        raise FitError(f"truncated: {len(body)} bytes of {claimed}")
    if claimed < len(body):
        raise FitError(f"{len(body) - claimed} bytes after its end (several FIT files in one?)")
    if fitdecode.utils.compute_crc(body) != 0:  # with its own CRC at its end, a sound file comes to 0
        raise FitError("wrong CRC")


Message = dict[str | int, Any]
"""Field name (or number, where the profile has no name) -> value, without lists and what was not measured."""


def _messages(body: bytes, clock: Callable[[], float]) -> Iterator[tuple[str, Message]]:
    """Name and fields of the few messages that a session is made of."""
    deadline, kept = clock() + MAX_DECODE_S, 0
    with fitdecode.FitReader(
        body,
        processor=None,
        check_crc=fitdecode.CrcCheck.DISABLED,
        error_handling=fitdecode.ErrorHandling.IGNORE,
    ) as reader:
        for number, frame in enumerate(reader):
            if number > MAX_MESSAGES:
                raise FitError(f"more than {MAX_MESSAGES} messages")
            if number % _CLOCK_CHECK_EVERY == 0 and clock() > deadline:
                raise FitError(f"takes longer than {MAX_DECODE_S:.0f} s to decode")
            if frame.frame_type != fitdecode.FIT_FRAME_DATA or frame.name not in _KEPT:
                continue
            kept += 1
            if kept > MAX_SUMMARIES:
                raise FitError(f"more than {MAX_SUMMARIES} messages about sessions")
            yield (
                frame.name,
                {each.name_or_num: each.value for each in frame.fields if isinstance(each.value, int | float | str)},
            )


def _session(messages: Sequence[tuple[str, Message]]) -> FitSession:
    file_id = _last(messages, "file_id")
    if file_id.get("type") not in (None, "activity"):
        raise FitError(f"a FIT file of type {file_id['type']}, not of an activity")
    sessions = [message for name, message in messages if name == "session"]
    starts = [start for session in sessions if (start := _utc(session.get("start_time"))) is not None]
    if not starts:
        raise FitError("holds no session with a start time")
    is_multisport = len(sessions) > 1
    offset = _utc_offset(_last(messages, "activity"))
    vo2max, vo2max_sport = (None, None) if is_multisport else _vo2max(messages)
    figures = _summed(sessions) if is_multisport else _figures(sessions[0])
    return FitSession(
        sport="multisport" if is_multisport else _name(sessions[0].get("sport")),
        sub_sport=None if is_multisport else _name(sessions[0].get("sub_sport")),
        started_at_utc=min(starts),
        start_local=None if offset is None else min(starts).replace(tzinfo=None) + offset,
        sessions=len(sessions),
        **figures,
        vo2max=vo2max,
        vo2max_sport=vo2max_sport,
        device_id=_serial(file_id.get("serial_number")),
        device=_name(file_id.get("garmin_product")),
    )


def _figures(session: Message) -> dict[str, float | None]:
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


def _summed(sessions: Sequence[Message]) -> dict[str, float | None]:
    """Sums of what adds up, the largest of what does not, and no averages."""
    legs = [_figures(session) for session in sessions]
    figures: dict[str, float | None] = dict.fromkeys(legs[0])
    for name in figures:
        known = [value for leg in legs if (value := leg[name]) is not None]
        if not known or name.startswith("avg_"):
            continue
        figures[name] = max(known) if name in ("max_hr_bpm", "aerobic_te", "anaerobic_te") else sum(known)
    return figures


def _vo2max(messages: Sequence[tuple[str, Message]]) -> tuple[float | None, str | None]:
    """The last estimate, the published message before the unpublished one; its sport where it has one."""
    for name, message in reversed(messages):
        if name == "max_met_data" and (value := _plausible(_number(message.get("vo2_max")))) is not None:
            return value, _name(message.get("sport"))
    for name, message in reversed(messages):
        raw = _number(message.get(MET_MAX)) if name == f"unknown_{PHYSIOLOGICAL_METRICS}" else None
        if raw is not None and (value := _plausible(raw * ML_KG_MIN_PER_MET / MET_MAX_SCALE)) is not None:
            return value, None
    return None, None


def _plausible(vo2max: float | None) -> float | None:
    low, high = _VO2MAX_RANGE
    return round(vo2max, 2) if vo2max is not None and low <= vo2max <= high else None


def _utc(value: object) -> datetime | None:
    """Seconds since 1989-12-31; small values count from the device's start, and are no time."""
    seconds = _number(value)
    if seconds is None or seconds < FIT_DATETIME_MIN:
        return None
    return datetime.fromtimestamp(FIT_UTC_REFERENCE + seconds, UTC)


def _utc_offset(activity: Message) -> timedelta | None:
    """Wall clock less UTC, of the one moment that the file tells in both; zones are quarters of an hour."""
    local, utc = _utc(activity.get("local_timestamp")), _utc(activity.get("timestamp"))
    if local is None or utc is None:
        return None
    offset = round((local - utc) / _QUARTER_HOUR) * _QUARTER_HOUR
    return offset if _UTC_OFFSETS[0] <= offset <= _UTC_OFFSETS[1] else None


def _last(messages: Sequence[tuple[str, Message]], name: str) -> Message:
    return next((message for found, message in reversed(messages) if found == name), {})


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
