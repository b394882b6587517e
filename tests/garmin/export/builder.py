"""Account exports made by hand, in the layouts that Garmin has used.

| layout | days | dates of days | nights' status | members |
|---|---|---|---|---|
| 2021 | DI-Connect-User | {"date": "Aug 18, 2020 12:00:00 AM"} | none | |
| 2022 | DI-Connect-Aggregator | text | none | |
| today | DI-Connect-Aggregator | text | healthStatusData | one folder deeper |

Their items are those of `export_items`.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.garmin.export.export_items import (
    Json,
    activity,
    activity_vo2max,
    daily_summary,
    health_status,
    laps,
    max_met,
    night,
    weighing,
)
from tests.garmin.fit_files import activity_file, metrics_file

LAYOUTS = ("2021", "2022", "today")
ITEMS_A_PART = 1000
DAYS_A_PART = 100
WEIGHING_EVERY_DAYS = 7
MAX_MET_EVERY_DAYS = 3
UPLOADS = "DI_CONNECT/DI-Connect-Uploaded-Files"


@dataclass(frozen=True)
class Account:
    """`activities` are spread evenly over `days` days from `first_day` on; every second day has a run."""

    first_day: date = date(2020, 1, 1)
    days: int = 200
    activities: int = 60
    layout: str = "today"
    has_vo2max: bool = True
    splits: int = 0
    """An activity's laps, which make it as large as real ones (0.4 kB each)."""
    has_metrics: bool = False
    """Whether the uploads hold a METRICS file of each day with a `max_met`."""

    def dates(self) -> list[date]:
        return [self.first_day + timedelta(days=number) for number in range(self.days)]


def members(account: Account) -> Iterator[tuple[str, list[Any]]]:
    """Path and JSON of each member, and of some that are none of the project's business."""
    root = "0a1b2c3d-0000_1/DI_CONNECT" if account.layout == "today" else "DI_CONNECT"
    dates = account.dates()
    yield f"{root}/DI-Connect-User/user_profile.json", [{"firstName": "Ann", "emailAddress": "ann@example.org"}]
    for number, items in enumerate(_parts(list(_newest_first(account)), ITEMS_A_PART)):
        path = f"{root}/DI-Connect-Fitness/ann_{number * ITEMS_A_PART}_summarizedActivities.json"
        yield path, [{"summarizedActivitiesExport": items}]
    days_in = "DI-Connect-User" if account.layout == "2021" else "DI-Connect-Aggregator"
    for part in _parts(dates, DAYS_A_PART):
        span = f"{part[0]}_{part[-1]}"
        yield f"{root}/{days_in}/UDSFile_{span}.json", [daily_summary(day, account.layout) for day in part]
        yield f"{root}/DI-Connect-Wellness/{span}_1_sleepData.json", [night(day) for day in part]
        if account.layout == "today":
            yield f"{root}/DI-Connect-Wellness/{span}_1_healthStatusData.json", [health_status(day) for day in part]
        if account.has_vo2max:
            rows = [row for day in part[::MAX_MET_EVERY_DAYS] for row in (max_met(day), max_met(day, 14.5, hour=19))]
            span = f"{part[0]:%Y%m%d}_{part[-1]:%Y%m%d}"
            yield f"{root}/DI-Connect-Metrics/MetricsMaxMetData_{span}_1.json", rows
            vo2max = [activity_vo2max(day) for day in part[::MAX_MET_EVERY_DAYS]]
            yield f"{root}/DI-Connect-Metrics/ActivityVo2Max_{span}_1.json", vo2max
    yield f"{root}/DI-Connect-Wellness/1_userBioMetrics.json", [weighing(day) for day in dates[::WEIGHING_EVERY_DAYS]]


def write_zip(path: Path, account: Account) -> Path:
    """The export as a zip, with a zip of uploads in it as Garmin's have."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, value in members(account):
            archive.writestr(name, json.dumps(value, ensure_ascii=False))
        archive.writestr(f"{UPLOADS}/UploadedFiles_0-_Part1.zip", uploaded_zip(uploads(account)))
    return path


def uploads(account: Account) -> Iterator[bytes]:
    """FIT files as watches sent them: an activity, and METRICS files where the account has them."""
    yield activity_file(records=5)
    if account.has_metrics:
        for day in account.dates()[::MAX_MET_EVERY_DAYS]:
            moment = datetime.combine(day, time(18))
            yield metrics_file((moment, 50.0 + day.day / 100, 49.5))


def uploaded_zip(files: Iterable[bytes], name: str = "ann@example.org_{}.fit") -> bytes:
    """A zip of FIT files under names that do not tell what they are."""
    body = BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            archive.writestr(name.format(1000 + number), file)
    return body.getvalue()


def write_folder(path: Path, account: Account) -> Path:
    """The export unpacked."""
    for name, value in members(account):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    return path


def zip_of(path: Path, contents: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of the given members."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, body in contents.items():
            archive.writestr(name, body)
    return path


def _newest_first(account: Account) -> Iterator[Json]:
    numbers = [number * account.days // account.activities for number in range(account.activities)]
    for number in range(account.activities - 1, -1, -1):
        day = account.first_day + timedelta(days=numbers[number])
        hour = 17 if number and numbers[number - 1] == numbers[number] else 8
        more = {"splitSummaries": laps(account.splits, number)} if account.splits else {}
        yield activity(number, day, 50.0 if account.has_vo2max else None, hour, **more)


def _parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
