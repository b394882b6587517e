"""What a document holds, told by its shape: Garmin answers the same thing as a page, a range, a day or an export.

Each row found is given the name of its shape as `source`; `merge` says which shape wins where several tell the same.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from include.curate import activities, days, fit_document, personal_api
from include.curate.fields import Fields
from include.garmin.dates import ACTIVITY_STARTS

Row = dict[str, Any]

IGNORED = frozenset({
    "mostRecentTrainingStatus", "monthlyTrainingStatus", "latestTrainingStatusData",
    "mostRecentTrainingLoadBalance", "acuteLoad",
})  # fmt: skip
"""Marks of documents that feed no table: what training status tells besides VO2max, and readiness."""
_READING_MARKS = ("vo2MaxValue", "vo2MaxPreciseValue", "cyclingVo2MaxPreciseValue", "cyclingVo2MaxValue")
_DAY_MARKS = (
    ("heartRateValues", "heart_rate"),
    ("stressValuesArray", "stress"),
    ("allDayStress", "export_day"),
    ("bodyBattery", "export_day"),
    ("userProfilePK", "export_day"),
)
_OTHERS_WITH_AN_ID = frozenset({"summaryDTO", "fitSession", "summarizedActivitiesExport"})
_MAX_DEPTH = 3
_KEYS_SHOWN, _LONGEST_KEY = 3, 24


@dataclass
class Parsed:
    """Rows as found, in the order of the documents; `unread` counts what could not be used, by reason."""

    activities: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    readings: list[Row] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, later: "Parsed") -> None:
        """Take in what a later document told."""
        self.activities += later.activities
        self.days += later.days
        self.readings += later.readings
        self.unread += later.unread


def parse_document(body: bytes, into: Parsed) -> None:
    """Add what `body` holds to `into`; never raises for bad content, which is counted instead."""
    try:
        value = _decoded(body)
    except (ValueError, RecursionError):
        into.unread["document that is not JSON"] += 1
        return
    if value is not None:
        _walk(value, into, 0)


def _decoded(body: bytes) -> object:
    """Twice as fast where msgspec, which is stricter than `json` and knows no NaN, can read it."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return json.loads(body)


def _walk(value: object, into: Parsed, depth: int) -> None:
    if isinstance(value, list) and depth < _MAX_DEPTH:
        for each in _by_update(value, "updateTimestamp"):
            _walk(each, into, depth + 1)
    elif isinstance(value, dict):
        _object(value, into)
    else:
        into.unread["value that is no object"] += 1


def _object(value: dict[str, Any], into: Parsed) -> None:  # noqa: C901, PLR0912 - one line a shape
    item = Fields(value, into.unread)
    if "activityId" in value and _is_list_item(value):
        _take(into.activities, [activities.list_item(item)], into, "activity_list")
    elif "summaryDTO" in value:
        _take(into.activities, [activities.summary(item)], into, "activity")
    elif "summarizedActivitiesExport" in value:
        exported = item.parts("summarizedActivitiesExport")
        _take(into.activities, map(activities.export_item, exported), into, "export")
    elif "fitSession" in value:
        _take(into.activities, [fit_document.activity(item)], into, "fit")
        _readings(fit_document.readings, item, into, "fit")
    elif "fitMaxMet" in value:
        _readings(fit_document.update_readings, item, into, "fit_metrics")
    elif "dailySleepDTO" in value:
        _take(into.days, [days.sleep_row(item.part("dailySleepDTO"))], into, "sleep")
    elif "hrvSummaries" in value:
        _take(into.days, map(days.hrv_row, item.parts("hrvSummaries")), into, "hrv")
    elif "hrvSummary" in value:
        _take(into.days, [days.hrv_row(item.part("hrvSummary"))], into, "hrv")
    elif "dateWeightList" in value:
        weighings = item.parts("dateWeightList")
        _take(into.days, map(days.weight_row, sorted(weighings, key=_weighed_at)), into, "weighing")
    elif "dailyWeightSummaries" in value:
        _take(into.days, personal_api.weighing_rows(item), into, "weighing")
    elif isinstance(value.get("data"), list) and "calendarDate" not in value:
        _take(into.days, personal_api.summary_rows(item), into, "day")
    elif "generic" in value or "cycling" in value:
        _readings(days.max_met_readings, item, into, "max_metrics")
    elif "mostRecentVO2Max" in value:
        _readings(days.max_met_readings, item.part("mostRecentVO2Max"), into, "training_status")
    elif "maxMet" in value:
        _readings(days.export_reading, item, into, "export_max_met")
    elif "vo2MaxValue" in value and "sport" in value:
        _readings(days.export_reading, item, into, "export_activity")
    elif not IGNORED.isdisjoint(value):
        return
    elif "metaData" in value:
        _take(into.days, [days.export_weight_row(item)], into, "export_weighing")
    elif "calendarDate" in value and "deepSleepSeconds" in value:
        _take(into.days, [days.sleep_row(item)], into, "export_sleep")
    elif "calendarDate" in value and "metrics" in value:
        _take(into.days, [days.export_health_row(item)], into, "export_health")
    elif "calendarDate" in value:
        _take(
            into.days, [days.day_row(item)], into, next((shape for mark, shape in _DAY_MARKS if mark in value), "day")
        )
        if any(mark in value for mark in _READING_MARKS):
            _readings(days.daily_readings, item, into, "day")
    else:
        into.unread[f"object of no known shape ({_look(value)})"] += 1


def _look(value: dict[str, Any]) -> str:
    """The first keys of an object, by which the owner of a file knows it again."""
    keys = ", ".join(f"{key[:_LONGEST_KEY]!a}" for key in sorted(value)[:_KEYS_SHOWN])
    return f"keys {keys}{', …' if len(value) > _KEYS_SHOWN else ''}" if value else "no keys"


def _is_list_item(value: dict[str, Any]) -> bool:
    """An item of the activity list; one whose type is null, missing or text is known by its start."""
    if not _OTHERS_WITH_AN_ID.isdisjoint(value):
        return False
    return isinstance(value.get("activityType"), dict) or any(name in value for name in ACTIVITY_STARTS)


def _take(rows: list[Row], found: Iterable[Row | None], into: Parsed, shape: str) -> None:
    for row in found:
        if row is None:
            into.unread["item without id or date"] += 1
        else:
            row["source"] = shape
            rows.append(row)


def _readings(parser: Callable[[Fields], list[Row]], item: Fields, into: Parsed, shape: str) -> None:
    for reading in parser(item):
        if reading["precise"] is None and reading["rounded"] is None:
            continue
        if reading["day"] is None:
            into.unread["reading without date"] += 1
        else:
            reading["source"] = shape
            into.readings.append(reading)


def _by_update(values: list[Any], name: str) -> list[Any]:
    """Several rows a day in the export: the last update comes last, and so wins."""
    if not any(isinstance(value, dict) and name in value for value in values):
        return values
    return sorted(values, key=lambda value: str(value.get(name, "")) if isinstance(value, dict) else "")


def _weighed_at(weighing: Fields) -> float:
    """Several weighings a day: the last one comes last, and so wins."""
    return weighing.number("timestampGMT") or 0.0
