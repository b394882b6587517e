from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.garmin.document import Held, RawDocument, TooManyRequests, nothing_held
from include.garmin.fetching import fetch_athlete, from_first_missed_day, note_fetched
from include.garmin.planning import Batch
from include.garmin.raw import RawWritten, read_raw
from include.garmin.registry import Athlete

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
ALL = (None, None)


class Days:
    """A live source of one document a day, which notes what it was asked for and may stop with 429."""

    def __init__(self, first: date, last: date, stops_after: int | None = None) -> None:
        self.days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
        self.stops_after = stops_after
        self.asked: list[date] = []

    def athletes(self) -> list[str]:
        return ["ann"]

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        for day in self.days:
            if (start and day < start) or (end and day > end) or held("day", day, f"{day}"):
                continue
            if self.stops_after is not None and len(self.asked) >= self.stops_after:
                raise TooManyRequests(600)
            self.asked.append(day)
            yield RawDocument("day", day, f"{day}", b'{"calendarDate": "%s"}' % str(day).encode())


def fetch(s3: Any, bucket: str, source: Days, now: datetime = NOW, **how: Any) -> RawWritten:
    return fetch_athlete(s3, bucket, source, "ann", ALL, now, live=True, **how)


def test_what_raw_holds_is_not_asked_for_again_but_for_the_last_days(s3: Any, bucket: str) -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 20)
    assert fetch(s3, bucket, Days(first, last)) == RawWritten(written=20)
    again = Days(first, last)
    assert fetch(s3, bucket, again) == RawWritten(unchanged=5)
    assert again.asked == [date(2026, 3, day) for day in (16, 17, 18, 19, 20)]


def test_again_asks_for_all(s3: Any, bucket: str) -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 20)
    fetch(s3, bucket, Days(first, last))
    assert fetch(s3, bucket, Days(first, last), again=True) == RawWritten(unchanged=20)


def test_after_429_the_next_run_goes_on_where_this_one_stopped(s3: Any, bucket: str) -> None:
    first, last = date(2026, 2, 1), date(2026, 2, 20)
    with pytest.raises(TooManyRequests):
        fetch(s3, bucket, Days(first, last, stops_after=12))
    assert len(list(read_raw(s3, bucket, "ann"))) == 12
    rest = Days(first, last)
    assert fetch(s3, bucket, rest, NOW + timedelta(seconds=601)) == RawWritten(written=8)
    assert rest.asked[0] == date(2026, 2, 13)


def test_garmin_is_left_alone_until_the_time_is_over(s3: Any, bucket: str) -> None:
    with pytest.raises(TooManyRequests):
        fetch(s3, bucket, Days(date(2026, 2, 1), date(2026, 2, 2), stops_after=0))
    early = Days(date(2026, 2, 1), date(2026, 2, 2))
    with pytest.raises(TooManyRequests, match="540 s"):
        fetch(s3, bucket, early, NOW + timedelta(seconds=60))
    assert early.asked == []
    assert fetch_athlete(s3, bucket, early, "ann", ALL, NOW, live=False) == RawWritten(written=2), "files do not wait"


def first_day_to_fetch(s3: Any, bucket: str, names: list[str], start: date) -> date | None:
    batch = Batch(tuple(Athlete(name) for name in names), (start, date(2026, 4, 2)))
    [extended] = from_first_missed_day(s3, bucket, [batch])
    assert extended.days[1] == batch.days[1]
    return extended.days[0]


def test_a_batch_without_a_first_day_stays_as_it_is(s3: Any, bucket: str) -> None:
    batch = Batch((Athlete("ann"),), (None, None))
    assert from_first_missed_day(s3, bucket, [batch]) == [batch]


def test_an_outage_leaves_no_hole(s3: Any, bucket: str) -> None:
    window = date(2026, 3, 17), date(2026, 3, 20)
    assert first_day_to_fetch(s3, bucket, ["ann"], window[0]) == window[0], "nothing is known of the time before"
    note_fetched(s3, bucket, "ann", (date(2026, 3, 1), date(2026, 3, 5)), NOW.date())
    assert first_day_to_fetch(s3, bucket, ["ann", "bob"], window[0]) == date(2026, 3, 6)
    note_fetched(s3, bucket, "ann", (date(2026, 3, 6), window[1]), NOW.date())
    assert first_day_to_fetch(s3, bucket, ["ann"], date(2026, 3, 18)) == date(2026, 3, 18)


def test_days_that_do_not_join_on_move_no_watermark(s3: Any, bucket: str) -> None:
    note_fetched(s3, bucket, "ann", (None, date(2026, 3, 5)), NOW.date())
    note_fetched(s3, bucket, "ann", (date(2026, 3, 10), date(2026, 3, 12)), NOW.date())
    note_fetched(s3, bucket, "ann", (date(2026, 2, 1), date(2026, 2, 12)), NOW.date())
    assert first_day_to_fetch(s3, bucket, ["ann"], date(2026, 3, 18)) == date(2026, 3, 6)


def test_a_day_to_come_is_not_taken_for_fetched(s3: Any, bucket: str) -> None:
    note_fetched(s3, bucket, "ann", (date(2026, 3, 1), date(2026, 12, 31)), NOW.date())
    assert first_day_to_fetch(s3, bucket, ["ann"], date(2026, 4, 1)) == date(2026, 3, 21)
