"""An athlete whose files are changed between runs, and the feature group that the runs put into."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from include.curate import Tables, read_tables
from include.features.offline_files import OfflineStore
from include.garmin.folder import FolderSource
from include.garmin.planning import Batch, Days
from include.garmin.registry import Athlete
from include.ingest.batch import Task, ingest_batch
from include.ingest.places import Places
from include.ingest.report import Report
from include.ingest.write_features import Written, write_features

Json = dict[str, Any]
STORE = OfflineStore("ingest-tests", "feature-store/group")


def run_of(number: int, start: str, vo2max: float | None = 50.0, **more: Any) -> Json:
    """A run of ten kilometres, as the activity list has it; `start` is the wall clock two hours east of Greenwich."""
    utc = datetime.fromisoformat(start) - timedelta(hours=2)
    return {
        "activityId": number,
        "activityType": {"typeKey": "running"},
        "startTimeLocal": start,
        "startTimeGMT": utc.isoformat(" "),
        "duration": 3600.0,
        "distance": 10_000.0,
        "averageHR": 150.0,
        "activityTrainingLoad": 110.0,
        "vO2MaxValue": vo2max,
        **more,
    }


def runs_of(first: str, count: int, number: int = 100, every_days: int = 1) -> list[Json]:
    """As many runs, one every so many days."""
    start = datetime.fromisoformat(f"{first} 07:30:00")
    return [run_of(number + i, str(start + timedelta(days=i * every_days)), 48.0 + i % 3) for i in range(count)]


class OnlineStore:
    """Feature Store's online records by AWS's rules: none gives way to one of an earlier event time."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, str]] = {}

    def get_record(self, RecordIdentifierValueAsString: str, **_: Any) -> Json:
        record = self.records.get(RecordIdentifierValueAsString, {})
        return {"Record": [{"FeatureName": name, "ValueAsString": value} for name, value in record.items()]}

    def put_record(self, Record: list[dict[str, str]], **_: Any) -> None:
        values = {part["FeatureName"]: part["ValueAsString"] for part in Record}
        kept = self.records.get(values["athlete_id"])
        if kept is None or kept["event_time"] <= values["event_time"]:
            self.records[values["athlete_id"]] = values

    def delete_record(self, RecordIdentifierValueAsString: str, EventTime: str, DeletionMode: str, **_: Any) -> None:
        assert DeletionMode == "HardDelete", "a soft deletion keeps the event time"
        kept = self.records.get(RecordIdentifierValueAsString)
        assert kept is None or kept["event_time"] < EventTime, "AWS refuses an event time that is not later"
        self.records.pop(RecordIdentifierValueAsString, None)


@dataclass
class Home:
    """A bucket, a folder of athletes, and the runs over them."""

    s3: Any
    bucket: str
    folder: Path
    online: OnlineStore = field(default_factory=OnlineStore)

    @property
    def places(self) -> Places:
        return Places(self.s3, self.bucket, self.online, "group")

    def give(self, athlete: str, activities: Iterable[Json], days: Iterable[Json] | None = None) -> None:
        """Put an athlete's files in the place of those that are there."""
        own = self.folder / athlete
        own.mkdir(parents=True, exist_ok=True)
        (own / "activities.json").write_text(json.dumps(list(activities)))
        if days is not None:
            (own / "daily.json").write_text(json.dumps(list(days)))

    def load(self, today: date, days: Days = (None, None), **batch: Any) -> Report:
        """A run by hand over all athletes; by default of all days."""
        source = FolderSource(self.folder)
        wanted = Batch(tuple(Athlete(name) for name in source.athletes()), days, **batch)
        now = datetime(today.year, today.month, today.day, 6, tzinfo=UTC)
        files = dict.fromkeys(source.athletes(), f"folder:{self.folder}") if wanted.reads_files else {}
        return ingest_batch(self.places, wanted, files, lambda _: source, Task(f"run-{today}", 0, now))

    def daily(self, today: date, **batch: Any) -> Report:
        """The scheduled run of a day."""
        return self.load(today, (today - timedelta(days=4), today - timedelta(days=1)), **batch)

    def write(self, today: date) -> Written:
        """The one write of a day's run."""
        moment = datetime(today.year, today.month, today.day, 7, tzinfo=UTC)
        return write_features(self.places, STORE, f"run-{today}", lambda: moment)

    def tables(self, athlete: str) -> Tables:
        return read_tables(self.s3, self.bucket, athlete)

    def months(self, athlete: str, table: str = "activities") -> dict[str, int]:
        """Rows of a table by month."""
        day = self.tables(athlete).frames()[table]["day"]
        counts: dict[str, int] = day.dt.strftime("%Y-%m").value_counts().sort_index().to_dict()
        return counts

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def quarantined(self, table: str, athlete: str) -> str:
        """What was rejected of a table, as text."""
        keys = self.keys(f"quarantine/{table}/athlete_id={athlete}/")
        return "".join(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode() for key in keys)
