"""Made-up data in Garmin's shapes."""

from datetime import date, timedelta
from typing import Any

from tests.garmin.connect.fake_garmin.accounts import Account


def run(activity_id: int, day: date, vo2max: float = 47.0) -> dict[str, Any]:
    """An item of the activity list."""
    return {
        "activityId": activity_id,
        "startTimeLocal": f"{day} 07:15:00",
        "startTimeGMT": f"{day} 06:15:00",
        "activityType": {"typeKey": "running"},
        "distance": 8040.5,
        "duration": 2710.25,
        "averageHR": 148.0,
        "vO2MaxValue": vo2max,
    }


def summary(activity_id: int, day: date) -> dict[str, Any]:
    return {
        "activityId": activity_id,
        "activityTypeDTO": {"typeKey": "running"},
        "metadataDTO": {"manualActivity": False},
        "summaryDTO": {"startTimeLocal": f"{day}T07:15:00.0", "averagePower": 251.0},
    }


def add_runs(account: Account, first_id: int, days: list[date]) -> None:
    """A run a day, with its summary."""
    for activity_id, day in enumerate(days, first_id):
        account.activities.append(run(activity_id, day))
        account.summaries[activity_id] = summary(activity_id, day)


def add_days(account: Account, start: date, end: date) -> None:
    """All that is known of every day, and a VO2max reading and a weight on the first."""
    for day in (start + timedelta(days=i) for i in range((end - start).days + 1)):
        text = day.isoformat()
        account.days[text] = {"calendarDate": text, "totalSteps": 9000, "restingHeartRate": 48}
        account.sleep[text] = {"dailySleepDTO": {"id": 1, "calendarDate": text, "sleepTimeSeconds": 27_000}}
        account.hrv.append({"calendarDate": text, "lastNightAvg": 52})
        account.training_status[text] = {"mostRecentTrainingStatus": {"userId": 1}}
    first = start.isoformat()
    reading = {"calendarDate": first, "vo2MaxPreciseValue": 47.3, "vo2MaxValue": 47.0}
    account.max_metrics.append({"generic": reading, "cycling": None})
    account.weights.append({"calendarDate": first, "weight": 70_500.0})
