"""The one write of a run: staged feature rows into the offline store in bulk, then each athlete's newest row online."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from include.curate.clock import DAYS_AHEAD
from include.features.as_of import note_last_put
from include.features.offline_files import OfflineStore, WrittenHistory, staged_body, write_history
from include.features.schema import EVENT_TIME, RECORD_ID
from include.features.store import put_row
from include.garmin.holdings import list_keys
from include.ingest.accounts import AthleteTwice, athletes_twice, read_accounts
from include.ingest.places import Places
from include.ingest.report import Failure, Report
from include.lake import staged_features_prefix

log = logging.getLogger(__name__)
REQUESTS_AT_ONCE = 8


class FromTheFuture(Exception):
    """A row of a day that is still to come, which would be served as the newest until that day is over."""


@dataclass(frozen=True)
class Written:
    """What a run put, and when it had put all of it."""

    rows: int
    put_at: datetime | None
    """None: nothing was put."""
    report: Report


def write_features(places: Places, store: OfflineStore, run: str, clock: Callable[[], datetime]) -> Written:
    """Put what the batches of a run have staged, and delete it there.

    History is in the offline store before any newest row is put: the online record of an athlete says through when the
    history is complete. A write that broke off can be done again as long as the rows are staged; if it never is, the
    next run finds the older online record and puts what is missing.

    Raises:
        botocore.exceptions.ClientError: the history could not be written; no newest row was put.
    """
    keys = list(list_keys(places.s3, places.bucket, staged_features_prefix(run)))
    if not keys:
        return Written(0, None, Report())
    with TemporaryDirectory(prefix="staged-features-") as folder:
        paths = _download(places, keys, Path(folder))
        twice = athletes_twice(read_accounts(places.s3, places.bucket))
        for path in paths if twice else ():
            _leave_out(path, {each.left_out for each in twice})
        history = write_history(places.s3, store, paths, clock())
    log.info("offline store: %d rows in %d files", history.rows, history.files)
    report = _put_newest(places, history, clock().date())
    report.failures += [Failure(each.left_out, "put", AthleteTwice(str(each))) for each in twice]
    if not report.done:
        return Written(history.rows, None, report)
    put_at = clock()
    note_last_put(places.s3, places.bucket, places.feature_group, put_at)
    for key in keys:
        places.s3.delete_object(Bucket=places.bucket, Key=key)
    return Written(history.rows + len(report.done), put_at, report)


def _download(places: Places, keys: list[str], folder: Path) -> list[Path]:
    def get(key: str) -> Path:
        path = folder / key.rpartition("/")[2]
        path.write_bytes(places.s3.get_object(Bucket=places.bucket, Key=key)["Body"].read())
        return path

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        return list(pool.map(get, keys))


def _leave_out(path: Path, athletes: set[str]) -> None:
    """Rewrite a staged file without the rows of some athletes."""
    frame = pd.read_parquet(path)
    path.write_bytes(staged_body(frame[~frame[RECORD_ID].isin(athletes)]))


def _put_newest(places: Places, history: WrittenHistory, today: date) -> Report:
    """Put the athletes' newest rows side by side; a failure is that athlete's alone."""

    def put(row: dict[str, Any]) -> None:
        day = date.fromisoformat(row[EVENT_TIME][:10])
        if day > today + timedelta(days=DAYS_AHEAD):
            raise FromTheFuture(f"the newest row is of {day}, which is still to come: nothing was put online")
        put_row(places.runtime, places.feature_group, row, history.no_more.get(str(row[RECORD_ID])))

    report = Report()
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        puts = {str(row[RECORD_ID]): pool.submit(put, row) for row in history.newest}
        report.done += report.for_each(puts, "put", lambda athlete_id: puts[athlete_id].result())
    return report
