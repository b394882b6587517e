"""What an account export holds: which members are read, and the day that an item of each belongs to.

A member is found by its file name in any folder of DI_CONNECT, for Garmin has moved files between folders
(`UDSFile_*` from DI-Connect-User to DI-Connect-Aggregator). Nothing else is opened: no FIT file, no profile, no
social data.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.garmin.dates import read_day

WHAT_IT_LOOKS_LIKE = (
    "an account export is the zip that Garmin sends for 'Export Your Data', with a folder DI_CONNECT in it "
    "(DI_CONNECT/DI-Connect-Fitness/…_summarizedActivities.json and others)"
)

_EXPORT = re.compile(r"(?:(?!\.{1,2}/|__MACOSX/)[^/]+/)?DI_CONNECT/", re.IGNORECASE)
"""DI_CONNECT at the top or one folder deeper; never by way of `..`."""


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
        return next((day for value in self.days(item) if (day := read_day(value)) is not None), None)


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


def in_order(path: str) -> list[tuple[int, str]]:
    """Sort key that puts part 9 before part 10."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", path)]
