"""One athlete's fetch into raw: nothing asked twice, no day left out, and Garmin left alone when it asks for it."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.garmin.document import NO_DAY, Source, TooManyRequests, nothing_held
from include.garmin.holdings import Holdings
from include.garmin.listing import Collected, Listing
from include.garmin.pending import note_pending
from include.garmin.planning import Batch
from include.garmin.raw import RawWritten, write_raw
from include.lake import LISTING_KIND, NOT_BEFORE_KEY, watermark_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READS_AT_ONCE = 8
LATE_SYNC_DAYS = 3
"""A watch may be synced days late: so many days are asked for again though raw holds them."""


def fetch_athlete(
    s3: "S3Client",
    bucket: str,
    source: Source,
    athlete_id: str,
    days: tuple[date | None, date | None],
    now: datetime,
    *,
    live: bool,
    again: bool = False,
) -> RawWritten:
    """Bring what the source has of the first to the last of `days` (None: all) into raw.

    What raw holds of days that do not change any more is not asked for, unless `again`. `live`: the source asks
    Garmin Connect itself, which is left alone while it wants to be. From which day on raw then holds what the tables
    lack is noted (see `pending`).

    Raises:
        TooManyRequests: Garmin asked to be left alone, now or earlier; what came before is kept.
        SourceError: as `Source.fetch`.
    """
    if live:
        _refuse_too_early(s3, bucket, now)
    holdings = Holdings(s3, bucket, athlete_id)
    settled = now.date() - timedelta(days=LATE_SYNC_DAYS + 1)
    held = nothing_held if again else partial(holdings.settled_before, settled)
    note_new = _notes_new(s3, bucket, athlete_id, days[0] or NO_DAY)
    try:
        documents = source.fetch(athlete_id, *days, held)
        return write_raw(s3, bucket, athlete_id, documents, now, holdings, note_new)
    except TooManyRequests as error:
        until = now + timedelta(seconds=error.retry_after_s)
        _put(s3, bucket, NOT_BEFORE_KEY, {"not_before": until.isoformat()})
        raise


def read_files(
    s3: "S3Client", bucket: str, source: Source, athlete_id: str, now: datetime, whole: str | None
) -> RawWritten:
    """Bring all that a source of files holds into raw, whatever days the run is about: what is new may be of any day.

    Args:
        whole: names the source when its files tell all that there is. A listing of its documents is then kept, by
            which what it no longer holds is known to be gone; not when a part of it could not be read.

    Raises:
        SourceError: as `Source.fetch`.
    """
    holdings = Holdings(s3, bucket, athlete_id)
    note_new = _notes_new(s3, bucket, athlete_id, date.max)
    held = partial(holdings.settled_before, now.date() - timedelta(days=LATE_SYNC_DAYS + 1))
    collected = Collected()
    documents = collected.noted(source.fetch(athlete_id, None, None, held))
    written = write_raw(s3, bucket, athlete_id, documents, now, holdings, note_new)
    if whole is None or not collected.is_complete or written.rejected or not collected.entries:
        return written
    kept = _newest_listing(s3, bucket, holdings, whole)
    listing = Listing(whole, frozenset(collected.entries)).after(kept)
    first_difference = listing.first_difference(kept)
    if first_difference is not None:
        note_new(first_difference)
        write_raw(s3, bucket, athlete_id, [listing.document], now, holdings)
    return written


def _newest_listing(s3: "S3Client", bucket: str, holdings: Holdings, source: str) -> Listing | None:
    version = holdings.newest(LISTING_KIND, NO_DAY, source)
    if version is None:
        return None
    return Listing.from_body(s3.get_object(Bucket=bucket, Key=version.key(holdings.athlete_id))["Body"].read())


def _notes_new(s3: "S3Client", bucket: str, athlete_id: str, start: date) -> Callable[[date], None]:
    """Notes the first day of which raw holds something new; `start` if it is of a later one."""
    noted: list[date] = []

    def note(day: date) -> None:
        first = min(day, start)
        if not noted or first < noted[-1]:
            note_pending(s3, bucket, athlete_id, first)
            noted.append(first)

    return note


def from_first_missed_day(s3: "S3Client", bucket: str, batches: Sequence[Batch]) -> list[Batch]:
    """The batches, each from the earliest day after the last that was fetched of its athletes without a gap.

    So no outage leaves a hole. Batches that begin earlier anyway, or that have no first day, stay as they are.
    """
    names = [name for batch in batches if batch.days[0] is not None for name in batch.names]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        kept = dict(zip(names, pool.map(lambda name: _get(s3, bucket, watermark_key(name)), names), strict=True))

    def extended(batch: Batch) -> Batch:
        start, end = batch.days
        found = (kept.get(name) for name in batch.names)
        missed = [date.fromisoformat(each["through"]) + timedelta(days=1) for each in found if each is not None]
        return batch if start is None else replace(batch, days=(min([start, *missed]), end))

    return [extended(batch) for batch in batches]


def note_fetched(
    s3: "S3Client", bucket: str, athlete_id: str, days: tuple[date | None, date | None], today: date
) -> None:
    """Remember through which day the athlete is fetched, when `days` join on to what was there before."""
    start, end = days[0], min(days[1] or today, today)
    kept = _get(s3, bucket, watermark_key(athlete_id))
    if kept is not None:
        through = date.fromisoformat(kept["through"])
        if end <= through or (start is not None and start > through + timedelta(days=1)):
            return
    _put(s3, bucket, watermark_key(athlete_id), {"through": end.isoformat()})


def _refuse_too_early(s3: "S3Client", bucket: str, now: datetime) -> None:
    kept = _get(s3, bucket, NOT_BEFORE_KEY)
    if kept is None:
        return
    wait_s = (datetime.fromisoformat(kept["not_before"]) - now.astimezone(UTC)).total_seconds()
    if wait_s > 0:
        raise TooManyRequests(wait_s)


def _get(s3: "S3Client", bucket: str, key: str) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return found


def _put(s3: "S3Client", bucket: str, key: str, value: dict[str, str]) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(value).encode(), ContentType="application/json")
