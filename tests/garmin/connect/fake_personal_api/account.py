"""What the fake knows of one account, in the shapes of the API's own description."""

import io
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.garmin.fit_files import activity_file

LIFE_S = 86_400.0
"""Of a bearer token."""
Item = dict[str, Any]


@dataclass
class PersonalAccount:
    """Days are `YYYY-MM-DD`; weights are in grams, heart rate in bpm, sleep in seconds."""

    key: str = "gcp-key-0f5c1d7a9b3e42c8"
    activities: list[Item] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    """Zips by activity."""
    summaries: dict[str, Item] = field(default_factory=dict)
    sleep: dict[str, Item] = field(default_factory=dict)
    hrv: dict[str, Item] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    heart_rate: dict[str, Item] = field(default_factory=dict)

    def add_run(self, activity_id: int, day: date, precise: float = 47.3, *, hour: int = 7) -> None:
        """A run of 8 km in 45 minutes: in the list its VO2max in whole numbers, in its file to the tenth."""
        start = datetime.combine(day, time(hour, 15))
        self.activities.append(run(activity_id, start, float(round(precise))))
        raw = round(precise * 65_536 / 3.5)
        fit = activity_file(start=start - timedelta(hours=1), utc_offset_s=3600, seconds=2710, vo2max_raw=raw)
        self.files[activity_id] = zipped({f"{activity_id}_ACTIVITY.fit": fit})

    def add_days(self, start: date, end: date) -> None:
        """All that is known of every day, and a weight on the first."""
        for day in (start + timedelta(days=i) for i in range((end - start).days + 1)):
            text = day.isoformat()
            self.summaries[text] = summary(text)
            self.sleep[text] = {
                "id": 1, "userProfilePK": 7001, "calendarDate": text, "sleepTimeSeconds": 27_000, "napTimeSeconds": 0,
                "deepSleepSeconds": 5000, "lightSleepSeconds": 15_000, "remSleepSeconds": 7000,
                "awakeSleepSeconds": 600, "sleepScores": {"overall": {"value": 81}},
            }  # fmt: skip
            self.hrv[text] = {"calendarDate": text, "weeklyAvg": 50, "lastNightAvg": 52, "status": "BALANCED"}
        self.weights[start.isoformat()] = 70_500.0


def run(activity_id: int, start: datetime, vo2max: float) -> Item:
    """An item of the activity list, with the names that differ from those of Garmin Connect's own page."""
    return {
        "activityId": activity_id,
        "activityName": "Morning run",
        "startTimeLocal": f"{start:%Y-%m-%d %H:%M:%S}",
        "startTimeGMT": f"{start - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "activityType": {"typeId": 1, "typeKey": "running", "parentTypeId": 17},
        "isParent": False,
        "isManualActivity": False,
        "parentId": None,
        "distance": 8040.5,
        "duration": 2710.25,
        "elapsedDuration": 2730.0,
        "elevationGain": 61.0,
        "averageSpeed": 2.967,
        "calories": 540.0,
        "averageHR": 148.0,
        "maxHR": 171.0,
        "aerobicTrainingEffect": 3.4,
        "activityTrainingLoad": 142.6,
        "hrTimeInZone_1": 60.0,
        "hrTimeInZone_2": 600.0,
        "vO2MaxValue": vo2max,
        "deviceId": 3412345678,
    }


def summary(day: str) -> Item:
    """A day of `dailysummaries`, whose parts are grouped."""
    return {
        "userProfilePk": 7001,
        "calendarDate": day,
        "source": "garmin",
        "includesWellnessData": True,
        "movement": {"steps": {"goal": 8000, "value": 9000, "distanceInMeters": 7020.0}},
        "calories": {"burnedTotal": 2600},
        "heartRate": {"minValue": 44, "maxValue": 171, "restingValue": 48},
        "stress": {"avgLevel": 29, "maxLevel": 90, "totalDurationInMillis": 86_400_000},
        "bodyBattery": {"minValue": 21, "maxValue": 96, "latestValue": 30},
    }


def zipped(members: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()
