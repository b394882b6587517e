"""What an account export holds: which members are read, and the day that an item of each belongs to.

A member is found by its file name in any folder of DI_CONNECT, for Garmin has moved files between folders
(`UDSFile_*` from DI-Connect-User to DI-Connect-Aggregator). Nothing else is opened: no profile, no social
data, and of the FIT files in DI-Connect-Uploaded-Files the METRICS files alone (`uploaded`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.garmin.dates import read_day
from include.garmin.document import SourceError

WHAT_IT_LOOKS_LIKE = (
    "an account export is the zip that Garmin sends for 'Export Your Data', with a folder DI_CONNECT in it "
    "(DI_CONNECT/DI-Connect-Fitness/…_summarizedActivities.json and others)"
)

_EXPORT = re.compile(r"(?:(?!\.{1,2}/|__MACOSX/)[^/]+/)?DI_CONNECT/", re.IGNORECASE)
"""DI_CONNECT at the top or one folder deeper; never by way of `..`."""
_UPLOADED = re.compile(r"DI_CONNECT/DI-Connect-Uploaded-Files/(?!\.)[^/]+\.(zip|fit)\Z", re.IGNORECASE)
_COPY = re.compile(r" ?(\([0-9]{1,3}\)| - Copy|-copy)(?=\.json$)", re.IGNORECASE)
"""What systems add to the name of a second file of the same name."""
MOST_NAMED = 5
"""So many names stand in a message."""


@dataclass(frozen=True)
class Family:
    """Members of one shape.

    Attributes:
        name: what its documents are called.
        file: pattern of the file name, whatever its case.
        days: the fields of an item that may hold its day, `outer.inner` for one within another; the first that does
            decides.
        envelope: key of the list that holds the items, inside the list of objects that the member is; None where
            the member itself is the list of items.
        is_by_quarter: whether a document holds a quarter of items; else it holds a year.
    """

    name: str
    file: re.Pattern[str]
    days: tuple[str, ...] = ("calendarDate",)
    envelope: str | None = None
    is_by_quarter: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an item that `day` looks at."""
        return tuple(path.partition(".")[0] for path in self.days)

    @property
    def shape(self) -> str:
        """What a member is expected to look like, for a message."""
        item = "{" + " or ".join(self.days) + ": …}"
        return f"[{item}, …]" if self.envelope is None else f"[{{{self.envelope}: [{item}, …]}}]"

    def day(self, item: object) -> date | None:
        """The local day of an item; None when it tells none."""
        if not isinstance(item, Mapping):
            return None
        return next((day for path in self.days if (day := read_day(_value(item, path))) is not None), None)


def _value(item: Mapping[str, object], path: str) -> object:
    outer, _, inner = path.partition(".")
    value = item.get(outer)
    if not inner:
        return value
    return value.get(inner) if isinstance(value, Mapping) else None


def _family(name: str, file: str, **more: Any) -> Family:
    return Family(name, re.compile(file, re.IGNORECASE), **more)


FAMILIES = (
    _family(
        "activities",
        r"(.*_)?summarizedActivities\.json",
        days=("startTimeLocal", "startTimeGmt", "beginTimestamp"),  # the first is the wall clock, written as if UTC
        envelope="summarizedActivitiesExport",
        is_by_quarter=True,
    ),
    _family("days", r"UDSFile_.*\.json"),
    _family("sleep", r".*_sleepData\.json"),
    _family("health_status", r".*_healthStatusData\.json"),
    _family("weight", r".*_userBioMetrics\.json", days=("metaData.calendarDate",)),
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
    name = _COPY.sub("", file)
    return next((family for family in FAMILIES if family.file.fullmatch(name)), None)


def refuse_unknown(paths: Iterable[str], label: str) -> None:
    """Refuse an export that has a folder DI_CONNECT and nothing in it that is read.

    Raises:
        SourceError: what was found in the export called `label`, and what was expected.
    """
    found = [path for path in paths if is_in_export(path) and not path.endswith("/")]
    if any(is_read(path) for path in found):
        return
    names = ", ".join(ascii(path.rpartition("/")[2][:80]) for path in sorted(found)[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    raise SourceError(
        f"{label}: none of its files is known: found {names or 'none'}{more}; expected in folders of DI_CONNECT files "
        "such as …_summarizedActivities.json, UDSFile_….json, …_sleepData.json, MetricsMaxMetData_….json"
    )


def is_uploaded(path: str) -> bool:
    """Whether `path` is a zip of the FIT files that watches sent, or such a file by itself."""
    return _UPLOADED.search(path) is not None and is_in_export(path)


def is_read(path: str) -> bool:
    """Whether the member at `path` is read."""
    return family_of(path) is not None or is_uploaded(path)


def in_order(path: str) -> list[tuple[int, str]]:
    """Sort key that puts part 9 before part 10."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", path)]
