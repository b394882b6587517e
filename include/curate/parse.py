"""What a document holds, told by its shape: Garmin answers the same thing as a page, a range, a day or an export."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from include.curate import activities, days
from include.curate.fields import Fields

Row = dict[str, Any]

IGNORED = frozenset({
    "mostRecentTrainingStatus", "mostRecentVO2Max", "monthlyTrainingStatus", "latestTrainingStatusData",
    "mostRecentTrainingLoadBalance", "acuteLoad",
})  # fmt: skip
"""Marks of documents that feed no table: training status (its "latest" values are of other days) and readiness."""
_READING_MARKS = ("vo2MaxValue", "vo2MaxPreciseValue", "cyclingVo2MaxPreciseValue", "cyclingVo2MaxValue")
_MAX_DEPTH = 3


@dataclass
class Parsed:
    """Rows as found, in the order of the documents; `unread` counts what could not be used, by reason."""

    activities: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    readings: list[Row] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


def parse_document(body: bytes, kind: str, into: Parsed) -> None:
    """Add what `body` holds to `into`; never raises for bad content, which is counted instead."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        into.unread["document that is not JSON"] += 1
        return
    if value is not None:
        _walk(value, kind, into, 0)


def _walk(value: object, kind: str, into: Parsed, depth: int) -> None:
    if isinstance(value, list) and depth < _MAX_DEPTH:
        for each in sorted(value, key=_updated_at) if _has_updates(value) else value:
            _walk(each, kind, into, depth + 1)
    elif isinstance(value, dict):
        _object(value, kind, into)
    else:
        into.unread["value that is no object"] += 1


def _object(value: dict[str, Any], kind: str, into: Parsed) -> None:  # noqa: C901, PLR0912 - one line a shape
    item = Fields(value, into.unread)
    if "summarizedActivitiesExport" in value:
        _take(into.activities, map(activities.export_item, item.parts("summarizedActivitiesExport")), into, kind)
    elif "summaryDTO" in value:
        _take(into.activities, [activities.summary(item)], into, kind)
    elif "activityId" in value and isinstance(value.get("activityType"), dict):
        _take(into.activities, [activities.list_item(item)], into, kind)
    elif "dailySleepDTO" in value:
        _take(into.days, [days.sleep_row(item.part("dailySleepDTO"))], into)
    elif "hrvSummaries" in value:
        _take(into.days, map(days.hrv_row, item.parts("hrvSummaries")), into)
    elif "hrvSummary" in value:
        _take(into.days, [days.hrv_row(item.part("hrvSummary"))], into)
    elif "dateWeightList" in value:
        _take(into.days, map(days.weight_row, item.parts("dateWeightList")), into)
    elif "generic" in value or "cycling" in value:
        _readings(days.max_met_readings, item, into)
    elif "maxMet" in value or ("vo2MaxValue" in value and "sport" in value):
        _readings(days.export_reading, item, into)
    elif not IGNORED.isdisjoint(value):
        return
    elif "calendarDate" in value and "deepSleepSeconds" in value:
        _take(into.days, [days.sleep_row(item)], into)
    elif "calendarDate" in value:
        _take(into.days, [days.day_row(item)], into)
        if any(mark in value for mark in _READING_MARKS):
            _readings(days.daily_readings, item, into)
    else:
        into.unread["object of no known shape"] += 1


def _take(rows: list[Row], found: Iterable[Row | None], into: Parsed, source: str | None = None) -> None:
    for row in found:
        if row is None:
            into.unread["item without id or date"] += 1
        else:
            rows.append(row if source is None else {**row, "source": source})


def _readings(parser: Callable[[Fields], list[Row]], item: Fields, into: Parsed) -> None:
    for reading in parser(item):
        if reading["precise"] is None and reading["rounded"] is None:
            continue
        if reading["day"] is None:
            into.unread["reading without date"] += 1
        else:
            into.readings.append(reading)


def _has_updates(values: list[Any]) -> bool:
    return any(isinstance(value, dict) and "updateTimestamp" in value for value in values)


def _updated_at(value: object) -> str:
    """Several rows a day in the export: the last update comes last, and so wins."""
    return str(value.get("updateTimestamp", "")) if isinstance(value, dict) else ""
