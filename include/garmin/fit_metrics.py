"""The VO2max that a watch writes into METRICS files (and newer ones into activities): message 229, `max_met_data`.

| field | what it is |
|---|---|
| 0 `update_time` | when the watch worked it out: seconds since 1989-12-31, UTC |
| 1 | the day's maximal MET in 1/65536: VO2max = raw × 3.5 / 65536, with tenths |
| 2 `vo2_max` | the same as a whole number, stored times ten |
| 5 `sport`, 6 `sub_sport` | of which series it is |
| 11 | newer watches: the maximal MET of the activity before it, in the same unit as field 1 |

Garmin's profile names fields 0, 2, 5 and 6. The others were found, not published: field 1, rounded, equals field 2 in
679 of 679 messages of two athletes, and field 11 the `vO2MaxValue` of the run before it in 53 of 53 (field 1 in 47).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fitdecode.processors import FIT_DATETIME_MIN, FIT_UTC_REFERENCE
from fitdecode.profile import FIELD_TYPES

from include.garmin.fit_frames import FitError, Message, fit_files, messages

METRICS_SUFFIX = "_metrics.fit"
METRICS_FILE = 44
"""The `type` of a METRICS file in its file_id; Garmin's profile does not name it."""
HEAD_BYTES = 512
"""Enough of a file to find its type: the file_id comes first."""
MAX_METRICS_BYTES = 1024 * 1024
"""A METRICS file has some hundred bytes."""
MAX_UPDATES = 10_000
"""In one body; a file holds a few."""

FILE_ID, ACTIVITY, TIMESTAMP_CORRELATION, MAX_MET_DATA = 0, 34, 162, 229
ML_KG_MIN_PER_MET = 3.5
MET_MAX_SCALE = 65_536
_VO2MAX_RANGE = (10.0, 100.0)
"""Outside of it the undocumented field holds something else, or nothing (0)."""
_WANTED = frozenset({FILE_ID, ACTIVITY, TIMESTAMP_CORRELATION, MAX_MET_DATA})
_TYPE, _TIMESTAMP = 0, 253
_LOCAL_TIMESTAMP = {ACTIVITY: 5, TIMESTAMP_CORRELATION: 3}
_UTC_OFFSETS = (timedelta(hours=-12), timedelta(hours=14))
_QUARTER_HOUR = timedelta(minutes=15)


@dataclass(frozen=True)
class MaxMet:
    """One update of a watch's VO2max.

    `met_max_raw` and `activity_met_max_raw` are fields 1 and 11 as stored, `vo2max_whole` in ml/kg/min, `sport` and
    `sub_sport` names of the FIT profile (its number for one that it does not know), `updated_local` the wall clock
    where the file tells it.
    """

    updated_at_utc: datetime
    updated_local: datetime | None
    sport: str | None
    sub_sport: str | None
    met_max_raw: int | None
    vo2max_whole: float | None
    activity_met_max_raw: int | None

    def as_json(self) -> dict[str, Any]:
        """The fields by their names; times as `YYYY-MM-DDTHH:MM:SS`, what is unknown left out."""
        values = {
            "updated_at_utc": self.updated_at_utc.replace(tzinfo=None).isoformat(),
            "updated_local": self.updated_local.isoformat() if self.updated_local else None,
            "sport": self.sport,
            "sub_sport": self.sub_sport,
            "met_max_raw": self.met_max_raw,
            "vo2max_whole": self.vo2max_whole,
            "activity_met_max_raw": self.activity_met_max_raw,
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def day_vo2max(self) -> float | None:
        """The day's VO2max: precise where the watch tells it, else whole."""
        return vo2max_of_met(self.met_max_raw) or plausible(self.vo2max_whole)

    @property
    def activity_vo2max(self) -> float | None:
        """The VO2max of the activity before the update."""
        return vo2max_of_met(self.activity_met_max_raw)


def read_metrics(body: bytes) -> list[MaxMet]:
    """The updates in a METRICS file, by time. None is no error: such files hold other things too.

    Raises:
        FitError: no FIT file, or none in it that is whole.
    """
    found: list[MaxMet] = []
    files = list(fit_files(body))
    for file in files:
        if file.problem is None:
            found += max_mets(list(messages(file.data, _WANTED)))
            if len(found) > MAX_UPDATES:
                raise FitError(f"more than {MAX_UPDATES} updates of VO2max")
    if all(file.problem is not None for file in files):
        raise FitError(files[0].problem or "")
    return sorted(found, key=lambda each: each.updated_at_utc)


def max_mets(wanted: Sequence[Message]) -> list[MaxMet]:
    """The updates among the messages of one file, as they stand; without those that have no time or no value."""
    offset = _last_offset(wanted)
    updates = (_max_met(each.integers(), offset) for each in wanted if each.number == MAX_MET_DATA)
    return [update for update in updates if update is not None]


def _max_met(fields: dict[int, int], offset: timedelta | None) -> MaxMet | None:
    updated_at = fit_moment(fields.get(0, fields.get(_TIMESTAMP)))
    if updated_at is None or not {1, 2, 11} & fields.keys():
        return None
    return MaxMet(
        updated_at_utc=updated_at,
        updated_local=None if offset is None else updated_at.replace(tzinfo=None) + offset,
        sport=_profile_name("sport", fields.get(5)),
        sub_sport=_profile_name("sub_sport", fields.get(6)),
        met_max_raw=fields.get(1),
        vo2max_whole=fields[2] / 10 if 2 in fields else None,
        activity_met_max_raw=fields.get(11),
    )


def file_type(head: bytes) -> int | None:
    """The type that a FIT file says it is of, from its first bytes; None when they do not tell."""
    if head[8:12] != b".FIT":
        return None
    try:
        for message in messages(head[head[0] :], frozenset({FILE_ID})):
            return message.integers().get(_TYPE)
    except FitError:
        return None
    return None


def is_metrics(name: str, head: bytes) -> bool:
    """Whether a file is a METRICS file, by its name or by what its first HEAD_BYTES say."""
    return name.lower().endswith(METRICS_SUFFIX) or file_type(head) == METRICS_FILE


def vo2max_of_met(raw: float | None) -> float | None:
    """The VO2max of a maximal MET in 1/65536, to 0.01; None where it is none."""
    return None if raw is None else plausible(raw * ML_KG_MIN_PER_MET / MET_MAX_SCALE)


def plausible(vo2max: float | None) -> float | None:
    """`vo2max` to 0.01; None where no person has it."""
    low, high = _VO2MAX_RANGE
    return round(vo2max, 2) if vo2max is not None and low <= vo2max <= high else None


def fit_moment(seconds: float | None) -> datetime | None:
    """Of seconds since 1989-12-31; small values count from the device's start, and are no time."""
    if seconds is None or seconds < FIT_DATETIME_MIN:
        return None
    return datetime.fromtimestamp(FIT_UTC_REFERENCE + seconds, UTC)


def utc_offset(local: datetime | None, utc: datetime | None) -> timedelta | None:
    """Wall clock less UTC, of one moment that a file tells in both; zones are quarters of an hour."""
    if local is None or utc is None:
        return None
    offset = round((local - utc) / _QUARTER_HOUR) * _QUARTER_HOUR
    return offset if _UTC_OFFSETS[0] <= offset <= _UTC_OFFSETS[1] else None


def _last_offset(wanted: Iterable[Message]) -> timedelta | None:
    found = None
    for message in wanted:
        if message.number in _LOCAL_TIMESTAMP:
            fields = message.integers()
            local = fit_moment(fields.get(_LOCAL_TIMESTAMP[message.number]))
            found = utc_offset(local, fit_moment(fields.get(_TIMESTAMP))) or found
    return found


def _profile_name(field_type: str, value: int | None) -> str | None:
    if value is None:
        return None
    return str(FIELD_TYPES[field_type].enum.get(value, value))
