"""What Garmin's Personal API is asked, by the wrappers of Garmin's own client, and the names under which raw keeps it.

Days are asked for by calendar months: a month is within every limit that other clients met (28 days for steps and
stress, which are not asked for; 31 for summaries and sleep; a year for HRV and weight), and a rerun asks the same
questions again and finds them answered.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from garmin_personal_api import GarminPersonalApiClient

PAGE_ACTIVITIES = 45
"""Activities on a page of the list. Larger pages are answered with HTTP 500, the service's own default included."""

Call = Callable[[GarminPersonalApiClient], object]
"""One call of the client, which makes one request."""


@dataclass(frozen=True)
class PersonalQuestion:
    """One call, and the raw document that its answer becomes."""

    kind: str
    last_day: date
    name: str
    call: Call
    lists_heart_rate: bool = False
    """Whether the answer tells of which days the heart rate is to be asked for."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.last_day}"


def ranges(start: date, end: date) -> Iterator[PersonalQuestion]:
    """Day summaries, sleep, nightly HRV and weight of a calendar month or less."""
    span = f"{start}-to-{end}"
    yield PersonalQuestion(
        "day",
        end,
        f"summaries-{span}",
        lambda client: client.get_daily_summaries(start, end),
        lists_heart_rate=True,
    )
    yield PersonalQuestion(
        "sleep", end, f"summaries-{span}", lambda client: client.get_daily_sleep_summaries(start, end)
    )
    yield PersonalQuestion("hrv", end, f"summaries-{span}", lambda client: client.get_daily_hrv_summaries(start, end))
    # The range of all weighings: `/weight/all`, which the API describes as well, is answered with HTTP 400.
    yield PersonalQuestion("day", end, f"weights-{span}", lambda client: client.get_weight_measurements(start, end))


def heart_rate(day: date) -> PersonalQuestion:
    """The heart rate of one day, which tells the resting heart rate where the day's summary does not."""
    return PersonalQuestion("day", day, "heart-rate", lambda client: client.get_daily_heart_rate(day))


def activity_page(start: date, end: date, offset: int) -> PersonalQuestion:
    """A page of the activities that began on a day of the range, newest first."""
    return PersonalQuestion(
        "activity_list",
        end,
        f"{start}-to-{end}-from-{offset}-by-{PAGE_ACTIVITIES}",
        lambda client: client.search_activities(start=offset, limit=PAGE_ACTIVITIES, start_date=start, end_date=end),
    )


def whole_history_page(offset: int, end: date) -> PersonalQuestion:
    """A page of all activities, newest first; what is on it moves with every new activity."""
    return PersonalQuestion(
        "activity_list",
        end,
        f"all-from-{offset}-by-{PAGE_ACTIVITIES}",
        lambda client: client.search_activities(start=offset, limit=PAGE_ACTIVITIES),
    )


def original_file(activity_id: int, day: date) -> PersonalQuestion:
    """The file that the watch wrote of an activity, as a zip; raw keeps the session that is decoded from it."""
    return PersonalQuestion("activity", day, f"{activity_id}-fit", lambda client: client.download_activity(activity_id))
