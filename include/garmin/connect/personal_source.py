"""Garmin's own API for one's own data, asked with Garmin's own client and the key that `make garmin-key` stored.

It knows no maxmet ranges, training status or readiness. Precise VO2max comes from the files that the watch wrote of
runs, and these are asked for only where a day has no precise value yet.
"""

import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from include.garmin.connect.lease import utc_now
from include.garmin.connect.manners import Manners
from include.garmin.connect.personal_client import PersonalConnection
from include.garmin.connect.personal_fetch import PersonalFetch
from include.garmin.connect.personal_key import ends_soon
from include.garmin.connect.precise_days import PreciseDays
from include.garmin.connect.token_source import TokenSource
from include.garmin.connect.tokens import TokenStore, require_athlete_id
from include.garmin.document import Held, RawDocument, SourceError, nothing_held

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class PersonalApiSource(TokenSource):
    """The athletes whose keys `make garmin-key` stored.

    A range is asked for by calendar months, the newest first: of a month four ranges (day summaries, sleep, HRV,
    weight), the list of activities by pages, and the files of runs that may tell a day's VO2max to the tenth.
    """

    client = "personalapi"

    def __init__(
        self,
        store: TokenStore,
        s3: "S3Client",
        bucket: str,
        today: date,
        manners: Manners | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """As `TokenSource`; `bucket` also has the tables that tell which days are precise already."""
        super().__init__(store, s3, bucket, today, manners, now=now, sleep=sleep)
        self._connections: dict[str, PersonalConnection] = {}

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        """Answers, each as received; the key is read when the first question is asked.

        Without `start`, the whole list of activities, and days from the first activity on. `held` is not asked for;
        that the first page of a month's list is held says that its files are, too. A question that gets no answer
        costs no other: it is named in the error that ends the fetch, and asked again by the next run.
        """
        require_athlete_id(athlete_id)
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        last = min(end or self._today, self._today)
        connection = PersonalConnection(
            athlete_id, self._store, partial(self._lease, athlete_id), self._manners, self._now
        )
        self._connections[athlete_id] = connection
        precise = PreciseDays(self._s3, self._bucket, athlete_id)
        return PersonalFetch(athlete_id, connection, held, precise).documents(start, last)

    def warnings(self, athlete_id: str) -> list[str]:
        """That the athlete's key ends within a week; known once the athlete was fetched."""
        connection = self._connections.get(athlete_id)
        sentence = connection and ends_soon(athlete_id, connection.key_ends_at, self._now())
        return [sentence] if sentence else []
