"""What Garmin Connect is asked for a range of days: paths and parameters, and under which names raw keeps the answers.

A range that the service answers at once is asked at once, but by calendar months, so that a rerun asks the same
questions again and finds them answered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

PAGE_ACTIVITIES = 100
"""Activities on a page of the list."""
HRV_DAYS = 28
"""Longest range of nightly HRV that is asked at once."""

DISPLAY_NAME = "{displayName}"
"""Stands in a path for the name by which Garmin knows the account."""
_PAGES_PATH = "/activitylist-service/activities/search/activities"


@dataclass(frozen=True)
class Question:
    """One GET, and the raw document that its answer becomes."""

    kind: str
    last_day: date
    name: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What is asked about, the same for all days: `sleep`, `day summary`, `weight`, `activity`."""
        if self.kind != "day":
            return self.kind
        return "weight" if self.name.startswith("weight-") else f"day {self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.last_day}"


def activity_page(start: date, end: date, offset: int) -> Question:
    """A page of the activities that began on a day of the range, newest first."""
    params = {
        "startDate": start.isoformat(),
        "endDate": end.isoformat(),
        "start": str(offset),
        "limit": str(PAGE_ACTIVITIES),
    }
    return Question("activity_list", end, f"{_range(start, end)}-from-{offset}", _PAGES_PATH, params)


def whole_history_page(offset: int, end: date) -> Question:
    """A page of all activities, newest first; what is on it moves with every new activity."""
    return Question(
        "activity_list", end, f"all-from-{offset}", _PAGES_PATH, {"start": str(offset), "limit": str(PAGE_ACTIVITIES)}
    )


def activity(activity_id: int, day: date) -> Question:
    """The summary of one activity: what the list does not tell, such as whether it was entered by hand."""
    return Question("activity", day, str(activity_id), f"/activity-service/activity/{activity_id}")


def ranges(start: date, end: date) -> Iterator[Question]:
    """VO2max, nightly HRV and weight of a month or less."""
    span = _range(start, end)
    yield Question("max_metrics", end, span, f"/metrics-service/metrics/maxmet/daily/{start}/{end}")
    for first in _days(start, end, HRV_DAYS):
        last = min(first + timedelta(days=HRV_DAYS - 1), end)
        yield Question("hrv", last, _range(first, last), f"/hrv-service/hrv/daily/{first}/{last}")
    params = {"startDate": start.isoformat(), "endDate": end.isoformat()}
    yield Question("day", end, f"weight-{span}", "/weight-service/weight/dateRange", params)


def days(start: date, end: date) -> Iterator[Question]:
    """Summary, sleep and training status of every day, the newest first; their paths hold DISPLAY_NAME."""
    for day in reversed(list(_days(start, end))):
        asked = {"calendarDate": day.isoformat()}
        yield Question("day", day, "summary", f"/usersummary-service/usersummary/daily/{DISPLAY_NAME}", asked)
        asked = {"date": day.isoformat(), "nonSleepBufferMinutes": "60"}
        yield Question("sleep", day, "sleep", f"/wellness-service/wellness/dailySleepData/{DISPLAY_NAME}", asked)
        yield Question("training_status", day, "status", f"/metrics-service/metrics/trainingstatus/aggregated/{day}")


def _days(start: date, end: date, step: int = 1) -> Iterator[date]:
    return (start + timedelta(days=i) for i in range(0, (end - start).days + 1, step))


def _range(start: date, end: date) -> str:
    return f"{start}-to-{end}"
