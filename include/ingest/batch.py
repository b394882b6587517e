"""A batch of athletes in one go: files -> raw -> tables -> checks -> feature rows, staged for the offline store.

The steps hand the tables on in memory: to read an athlete's months back costs more than all else that is done with
them. Each step can be done again: what raw holds is not written twice, months are rewritten whole, and staged rows
replace those of an earlier try.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pandas as pd

from include.curate import (
    Tables,
    context_start,
    curate,
    days_start,
    first_month_to_rewrite,
    joined,
    needs_all,
    read_tables,
    write_tables,
)
from include.features.build import build_features
from include.features.history import history_document
from include.features.offline_files import staged_body
from include.features.origins import origins_document
from include.features.store import rows_to_put
from include.garmin.document import Source, WarningSource
from include.garmin.fetching import fetch_athlete, note_fetched, read_files
from include.garmin.open import is_of_files, tells_all
from include.garmin.pending import read_pending, settle_pending
from include.garmin.planning import Batch
from include.garmin.raw import RawWritten, read_raw
from include.ingest.accounts import note_account
from include.ingest.places import Places
from include.ingest.report import Report
from include.ingest.understood import refuse_nothing_understood
from include.lake import history_key, origins_key, staged_features_key
from include.quality import DataRejected, Verdict, validate, write_data_docs, write_quarantine

OpenSource = Callable[[str], Source]
"""Opens the source that a specification names, e.g. `export:PATH.zip`."""


@dataclass(frozen=True)
class Task:
    """Which part of which run is being done."""

    run: str
    """Names the run in keys of the bucket."""
    number: int
    """Of the batch within its run."""
    now: datetime


def fetch_live(places: Places, batch: Batch, default_source: str, open_source: OpenSource, now: datetime) -> Report:
    """Bring what Garmin Connect has of a batch's days into raw; what raw holds and cannot change is not asked for."""
    sources = {athlete.athlete_id: athlete.source or default_source for athlete in batch.athletes}

    def fetch(athlete_id: str) -> RawWritten:
        source = open_source(sources[athlete_id])
        try:
            written = fetch_athlete(
                places.s3, places.bucket, source, athlete_id, batch.days, now, live=True, again=batch.again
            )
        finally:
            if isinstance(source, WarningSource):
                report.warn(source.warnings(athlete_id))
        note_fetched(places.s3, places.bucket, athlete_id, batch.days, now.date())
        return written

    report = Report()
    report.done += report.for_each(batch.names, "fetch", fetch)
    return report


def ingest_batch(
    places: Places, batch: Batch, file_sources: dict[str, str], open_source: OpenSource, task: Task
) -> Report:
    """Bring a batch of athletes from their files, and from what raw holds, to staged feature rows.

    An athlete whose files cannot be read goes on with what raw holds.

    Args:
        file_sources: by athlete, the source to read first; athletes that are missing here are taken from raw alone.
    """
    report = Report()
    pending: dict[str, date | None] = {}

    def fetch(athlete_id: str) -> RawWritten:
        return fetch_files(places, batch, athlete_id, file_sources[athlete_id], open_source, task.now)

    def curate_one(athlete_id: str) -> "Curated":
        pending[athlete_id] = read_pending(places.s3, places.bucket, athlete_id)
        since = first_day_to_curate(batch.days[0], pending[athlete_id], task.now.date())
        return curate_athlete(places, athlete_id, since, may_lose_rows=batch.accept_fewer)

    report.for_each([name for name in batch.names if name in file_sources], "fetch", fetch)
    unfetched = {failure.athlete_id for failure in report.failures}
    curated = report.for_each(batch.names, "curate", curate_one)
    clean = _validated(places, curated, task, report)

    def features_one(athlete_id: str) -> "Features":
        found = curated[athlete_id]
        if athlete_id not in unfetched:  # whose failure says already why nothing came
            refuse_nothing_understood(places, athlete_id, found.tables, found.rewritten.unread)
        return write_serving_documents(places, athlete_id, clean[athlete_id], curated[athlete_id].since)

    features = report.for_each(clean, "features", features_one)
    stage(places, [found.to_put for found in features.values()], task)
    for athlete_id in features:
        settle_pending(places.s3, places.bucket, athlete_id, pending[athlete_id])
    report.done += features
    return report


def fetch_files(
    places: Places, batch: Batch, athlete_id: str, spec: str, open_source: OpenSource, now: datetime
) -> RawWritten:
    """Bring what an athlete's files hold into raw: all of it, or the batch's days where the source makes data up."""
    source = open_source(spec)
    if is_of_files(spec):
        return read_files(places.s3, places.bucket, source, athlete_id, now, tells_all(spec))
    return fetch_athlete(places.s3, places.bucket, source, athlete_id, batch.days, now, live=False, again=batch.again)


def first_day_to_curate(asked: date | None, pending: date | None, today: date) -> date | None:
    """The first day of the months to rewrite: that of the run, or an earlier one of which raw holds something new.

    None: all months, where all were asked for or those months do not come out right without the others.
    """
    if asked is None:
        return None
    since = min(asked, pending) if pending else asked
    return None if needs_all(since, today) else since


@dataclass(frozen=True)
class Curated:
    """An athlete's tables, all months of them, as they stand in the bucket."""

    tables: Tables
    rewritten: Tables
    since: date | None
    """From which day on something may have changed; None: from the first."""

    def __str__(self) -> str:
        rows = ", ".join(f"{len(frame)} {name}" for name, frame in self.rewritten.frames().items())
        return f"{rows}; mended: {dict(self.rewritten.mends)}; not read: {dict(self.rewritten.unread)}"


def curate_athlete(places: Places, athlete_id: str, since: date | None, *, may_lose_rows: bool = False) -> Curated:
    """Rewrite an athlete's months from that of `since` on (None: all), and earlier ones that an activity left.

    Raises:
        RowsLost: a month would lose most of its rows, and may not.
    """
    first = since.replace(day=1) if since else None
    stored = read_tables(places.s3, places.bucket, athlete_id) if first else None
    while True:
        starts = (context_start(first), days_start(first)) if first else ()
        tables = curate(read_raw(places.s3, places.bucket, athlete_id, *starts), first)
        earlier = first_month_to_rewrite(stored, tables) if stored is not None else None
        if earlier is None:
            break
        first = since = earlier
    write_tables(places.s3, places.bucket, athlete_id, tables, may_lose_rows=may_lose_rows)
    return Curated(tables if stored is None else joined(stored, tables), tables, since)


def _validated(places: Places, curated: dict[str, Curated], task: Task, report: Report) -> dict[str, Tables]:
    """The clean tables of the athletes whose data can be used; what was rejected is in quarantine, with its reason."""
    if not curated:
        return {}
    checked = validate({name: found.tables for name, found in curated.items()})
    write_data_docs(places.s3, places.bucket, f"{task.now:%Y%m%dt%H%M%Sz}-{task.number}", checked.data_docs)

    def keep_clean(athlete_id: str) -> Verdict:
        verdict, rewritten = checked.verdicts[athlete_id], curated[athlete_id].rewritten
        kept = with_left_out(verdict, rewritten)
        write_quarantine(places.s3, places.bucket, athlete_id, kept, rewritten.since_month)
        if verdict.first_rejected_month:
            write_tables(places.s3, places.bucket, athlete_id, verdict.clean, verdict.first_rejected_month)
        if not verdict.success:
            raise DataRejected("; ".join(verdict.failures))
        return kept

    return {name: verdict.clean for name, verdict in report.for_each(curated, "validate", keep_clean).items()}


def with_left_out(verdict: Verdict, tables: Tables) -> Verdict:
    """A verdict that also holds, as rejected, the rows that no table has because their date cannot be true."""
    left_out = tables.evidence.left_out if tables.evidence else {}
    rejected = dict(verdict.rejected)
    for table, rows in left_out.items():
        parts = [part for part in (rejected.get(table), rows) if part is not None and len(part)]
        if parts:
            rejected[table] = pd.concat(parts, ignore_index=True)
    return replace(verdict, rejected=rejected)


@dataclass(frozen=True)
class Features:
    """An athlete's feature rows that the feature group lacks or may lack."""

    to_put: pd.DataFrame
    no_more: int = 0
    """So many of `to_put` mark rows that the feature group has and the history no longer has."""

    def __str__(self) -> str:
        if not len(self.to_put):
            return "no data, so no features"
        taken_back = f", {self.no_more} rows taken back" if self.no_more else ""
        return f"{len(self.to_put) - self.no_more} rows to put{taken_back}"


def write_serving_documents(places: Places, athlete_id: str, tables: Tables, since: date | None) -> Features:
    """Build an athlete's feature rows, and write what the API reads beside the newest of them: history and origins.

    Both are there before the newest row is put online, so a forecast never finds an older past than its features have.
    """
    rows = build_features(tables)
    if rows.empty:
        return Features(rows)
    _write_json(places, history_key(athlete_id), history_document(tables, rows))
    _write_json(places, origins_key(athlete_id), origins_document(rows))
    note_account(places.s3, places.bucket, athlete_id, tables)
    put = rows_to_put(places.runtime, places.feature_group, rows, since)
    return Features(put.frame, len(put.no_more))


def _write_json(places: Places, key: str, document: dict[str, Any]) -> None:
    """Write a document without spaces between its values: origins hold a hundred thousand numbers and more."""
    body = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    places.s3.put_object(Bucket=places.bucket, Key=key, Body=body, ContentType="application/json")


def stage(places: Places, frames: list[pd.DataFrame], task: Task) -> None:
    """Keep the rows of a batch for the one write of its run."""
    parts = [frame for frame in frames if len(frame)]
    key = staged_features_key(task.run, task.number)
    if parts:
        body = staged_body(pd.concat(parts, ignore_index=True))
        places.s3.put_object(Bucket=places.bucket, Key=key, Body=body)
