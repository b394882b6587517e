"""The synthetic source: which responses a range gives, and what has not been synced yet."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from include.garmin.document import Held, RawDocument, SourceError, UnknownAthlete, nothing_held
from include.garmin.synthetic import responses
from include.garmin.synthetic.chance import EPOCH, Chance
from include.garmin.synthetic.history import History, live
from include.garmin.synthetic.profile import Profile, draw_profile

LONGEST_DAILY_RANGE = 31
PAGE = 100


class SyntheticSource:
    """Seeded athletes with `years` of history up to `today`.

    A range of up to 31 days is answered day by day, as a daily fetch would be; a longer one (or all) in bulk: pages
    of 100 activities, quarters of days and sleep as in an account export, years of HRV and VO2max. What a day says
    depends on (seed, athlete, day) alone, but for late syncs: up to two days before `today` some is not there yet.
    """

    def __init__(self, today: date, athletes: int = 12, years: int = 3, seed: int = 7) -> None:
        self._today = today
        self._first = max(today - timedelta(days=round(365.25 * years)), EPOCH + timedelta(days=365))
        if self._first >= today:
            raise SourceError(f"synthetic athletes live from {EPOCH + timedelta(days=366)} on; today is {today}")
        self._chances = [Chance(seed, number) for number in range(athletes)]
        profiles = [draw_profile(number, chance) for number, chance in enumerate(self._chances)]
        self._profiles: dict[str, Profile] = {profile.athlete_id: profile for profile in profiles}
        self._lived: dict[str, History] = {}

    def athletes(self) -> list[str]:
        return sorted(self._profiles)

    def fetch(
        self,
        athlete_id: str,
        start: date | None,
        end: date | None,
        held: Held = nothing_held,  # noqa: ARG002 - nothing is asked over a network
    ) -> Iterator[RawDocument]:
        if athlete_id not in self._profiles:
            raise UnknownAthlete(f"no synthetic athlete {athlete_id!r}; there are {', '.join(self.athletes()[:20])}")
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        first, last = max(start or self._first, self._first), min(end or self._today, self._today)
        if first > last:
            return iter(())
        history = self._history(athlete_id)
        if start and end and (end - start).days < LONGEST_DAILY_RANGE:
            return self._daily(history, first, last)
        return self._bulk(history, first, last)

    def _history(self, athlete_id: str) -> History:
        if athlete_id not in self._lived:
            profile = self._profiles[athlete_id]
            self._lived[athlete_id] = live(profile, self._chances[profile.number], self._today)
        return self._lived[athlete_id]

    def _daily(self, history: History, first: date, last: date) -> Iterator[RawDocument]:
        for day in _days(first, last):
            name = day.isoformat()
            if items := history.activities(day, day):
                yield RawDocument("activity_list", day, name, responses.body(items))
            yield RawDocument("day", day, name, responses.body(responses.user_summary(day, history.wellness(day))))
            yield RawDocument("sleep", day, name, responses.body(responses.daily_sleep(day, history.wellness(day))))
            if (wellness := history.wellness(day)) is not None:
                yield RawDocument("hrv", day, name, responses.body(responses.hrv_day(wellness)))
            if rows := history.max_metrics(day, day):
                yield RawDocument("max_metrics", day, name, responses.body(rows))

    def _bulk(self, history: History, first: date, last: date) -> Iterator[RawDocument]:
        activities = history.activities(first, last)
        # Pages are cut from the oldest activity on, so that a growing history leaves full pages as they are.
        for number in range(0, len(activities), PAGE):
            page = activities[number : number + PAGE]
            last_day = date.fromisoformat(page[-1]["startTimeLocal"][:10])
            yield RawDocument("activity_list", last_day, f"page-{page[0]['activityId']}", responses.body(page[::-1]))
        for a, b in _periods(first, last, _quarter):
            worn = [wellness for day in _days(a, b) if (wellness := history.wellness(day)) is not None]
            if worn:
                yield RawDocument("export", b, f"UDSFile-{a}", responses.body(list(map(responses.uds_day, worn))))
                yield RawDocument(
                    "export", b, f"sleepData-{a}", responses.body(list(map(responses.export_sleep, worn)))
                )
        for a, b in _periods(first, last, lambda day: day.year):
            worn = [wellness for day in _days(a, b) if (wellness := history.wellness(day)) is not None]
            if worn:
                yield RawDocument("hrv", b, f"hrv-{a}", responses.body(responses.hrv_range(worn)))
            if rows := history.max_metrics(a, b):
                yield RawDocument("max_metrics", b, f"maxmet-{a}", responses.body(rows))


def _quarter(day: date) -> tuple[int, int]:
    return day.year, (day.month - 1) // 3


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _periods(first: date, last: date, period: Callable[[date], Any]) -> Iterator[tuple[date, date]]:
    """First and last day of each period that `first` to `last` touches, clipped to the two."""
    start = first
    for day in _days(first, last):
        if period(day) != period(start):
            yield start, day - timedelta(days=1)
            start = day
    yield start, last
