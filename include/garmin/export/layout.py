"""What an account export holds: which members are read, and the day that an item of each belongs to.

A member is found by its file name in any folder of DI_CONNECT, for Garmin has moved files between folders
(`UDSFile_*` from DI-Connect-User to DI-Connect-Aggregator). Nothing else is opened: no profile, no social
data, and of the FIT files in DI-Connect-Uploaded-Files the METRICS files alone (`uploaded`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

WHAT_IT_LOOKS_LIKE = (
    "an account export is the zip that Garmin sends for 'Export Your Data', with a folder DI_CONNECT in it "
    "(DI_CONNECT/DI-Connect-Fitness/…_summarizedActivities.json and others)"
)

_EXPORT = re.compile(r"(?:(?!\.{1,2}/|__MACOSX/)[^/]+/)?DI_CONNECT/", re.IGNORECASE)
"""DI_CONNECT at the top or one folder deeper; never by way of `..`."""
_UPLOADED = re.compile(r"DI_CONNECT/DI-Connect-Uploaded-Files/(?!\.)[^/]+\.(zip|fit)\Z", re.IGNORECASE)
_OLD_DATE = "%b %d, %Y %I:%M:%S %p"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1971, 2101)


@dataclass(frozen=True)
class Family:
    """Members of one shape.

    Attributes:
        name: what its documents are called.
        file: pattern of the file name, whatever its case.
        days: gives the fields of an item that may hold its day; the first that does decides.
        envelope: key of the list that holds the items, inside the list of objects that the member is; None where
            the member itself is the list of items.
        is_by_quarter: whether a document holds a quarter of items; else it holds a year.
    """

    name: str
    file: re.Pattern[str]
    days: Callable[[Mapping[str, object]], tuple[object, ...]]
    envelope: str | None = None
    is_by_quarter: bool = False

    def day(self, item: object) -> date | None:
        """The local day of an item; None when it tells none."""
        if not isinstance(item, Mapping):
            return None
        return next((day for value in self.days(item) if (day := _day(value)) is not None), None)


def _family(
    name: str,
    file: str,
    days: Callable[[Mapping[str, object]], tuple[object, ...]] = lambda item: (item.get("calendarDate"),),
    **more: Any,
) -> Family:
    return Family(name, re.compile(file, re.IGNORECASE), days, **more)


def _starts(activity: Mapping[str, object]) -> tuple[object, ...]:
    """`startTimeLocal` is the wall clock, written as if it were UTC."""
    return activity.get("startTimeLocal"), activity.get("startTimeGmt"), activity.get("beginTimestamp")


def _measured_on(weighing: Mapping[str, object]) -> tuple[object, ...]:
    metadata = weighing.get("metaData")
    return (metadata.get("calendarDate"),) if isinstance(metadata, Mapping) else ()


FAMILIES = (
    _family(
        "activities",
        r"(.*_)?summarizedActivities\.json",
        _starts,
        envelope="summarizedActivitiesExport",
        is_by_quarter=True,
    ),
    _family("days", r"UDSFile_.*\.json"),
    _family("sleep", r".*_sleepData\.json"),
    _family("health_status", r".*_healthStatusData\.json"),
    _family("weight", r".*_userBioMetrics\.json", _measured_on),
    _family("max_met", r"MetricsMaxMetData_.*\.json"),
    _family("activity_vo2max", r"ActivityVo2Max_.*\.json"),
)


def is_in_export(path: str) -> bool:
    """Whether `path` (with `/`) lies in a DI_CONNECT folder, at the top or one folder deeper."""
    return _EXPORT.match(path) is not None


def family_of(path: str) -> Family | None:
    """The family of the member at `path` (with `/`), or None for one that is not read."""
    found = _EXPORT.match(path)
    folder, _, file = path[found.end() :].rpartition("/") if found else ("", "", "")
    if not folder or "/" in folder or folder == ".." or file.startswith("."):
        return None
    return next((family for family in FAMILIES if family.file.fullmatch(file)), None)


def is_uploaded(path: str) -> bool:
    """Whether `path` is a zip of the FIT files that watches sent, or such a file by itself."""
    return _UPLOADED.search(path) is not None and is_in_export(path)


def is_read(path: str) -> bool:
    """Whether the member at `path` is read."""
    return family_of(path) is not None or is_uploaded(path)


def in_order(path: str) -> list[tuple[int, str]]:
    """Sort key that puts part 9 before part 10."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", path)]


def _day(value: object) -> date | None:
    """Of `2024-05-03…`, of epoch milliseconds, or of `{"date": "Aug 18, 2020 12:00:00 AM"}` (older exports)."""
    if isinstance(value, Mapping):
        value = value.get("date")
    try:
        if isinstance(value, str) and len(value) <= 40:
            day = date.fromisoformat(value[:10]) if value[:4].isdecimal() else datetime.strptime(value, _OLD_DATE)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            day = _EPOCH + timedelta(milliseconds=value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    day = day.date() if isinstance(day, datetime) else day
    return day if day.year in _YEARS else None
