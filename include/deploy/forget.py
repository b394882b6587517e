"""Erase one athlete everywhere: `python -m infra.deploy forget --athlete ID`.

First everything of the athlete is found, so that it can be shown; then each `Erasure` is carried out. One that was
stopped is finished by doing it again: whatever tells that an athlete is in a place goes last in that place.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from include import lake
from include.deploy import redaction
from include.deploy.versions import ObjectVersions, Version
from include.features.schema import EVENT_TIME
from include.features.store import latest
from include.garmin.connect.tokens import TokenStore, parameter_name, require_athlete_id
from include.settings import Settings

BUFFERED = timedelta(minutes=15)
"""So long Feature Store may take to write to the offline store what was put."""
REWRITTEN_AT_ONCE = 8
MANIFEST_FILE = "manifest.json"
PARTS_FOLDER = "parts"
EVALUATION_FILE = "evaluation.json"

Clients = Callable[[str], Any]
Redact = Callable[[bytes, str], bytes | None]


class NotErased(Exception):
    """Something cannot be read, so that nobody can say whether the athlete is in it; nothing was erased."""


@dataclass(frozen=True)
class Erasure:
    """One place that holds something of the athlete."""

    what: str
    """The place and how much of it, for a person."""
    carry_out: Callable[[], object]


@dataclass(frozen=True)
class Plan:
    """All that is to be erased, in its order."""

    erasures: tuple[Erasure, ...]
    again_after: datetime | None
    """When Feature Store has written what it may still hold back, so that looking again pays; None: nothing waits."""


def plan_erasure(clients: Clients, settings: Settings, athlete_id: str, now: datetime) -> Plan:
    """Find everything of an athlete. What would bring new data, the list of athletes and the tokens, comes first.

    Raises:
        SourceError: the id cannot be one.
        NotErased: a document of several athletes cannot be read.
    """
    require_athlete_id(athlete_id)
    versions = ObjectVersions(clients("s3"), settings.bucket)
    online = list(_online_records(clients, settings, athlete_id, now))
    found = [
        *_redactions(versions, lake.ATHLETES_KEY, "", redaction.athletes_without, athlete_id),
        *_redactions(versions, lake.API_KEYS_KEY, "", redaction.api_keys_without, athlete_id),
        *_tokens(clients, settings, athlete_id),
        *online,
        *_redactions(versions, lake.STAGED_FEATURES_PREFIX, ".parquet", redaction.parquet_without, athlete_id),
        *_redactions(versions, lake.FEATURE_STORE_PREFIX, ".parquet", redaction.parquet_without, athlete_id),
        *_own_objects(versions, athlete_id),
        *_datasets(versions, athlete_id),
        *_reports(versions, athlete_id),
    ]
    if found:
        found = [*_data_docs(versions), *found]
    return Plan(tuple(found), now + BUFFERED if online else None)


def _tokens(clients: Clients, settings: Settings, athlete_id: str) -> Iterator[Erasure]:
    store = TokenStore(clients("ssm"), settings.project)
    if store.exists(athlete_id):
        name = parameter_name(settings.project, athlete_id)
        yield Erasure(f"Garmin tokens: parameter {name}", partial(store.delete, athlete_id))


def _online_records(clients: Clients, settings: Settings, athlete_id: str, now: datetime) -> Iterator[Erasure]:
    """The athlete's record in every feature group of the project, also in those of earlier schemas."""
    runtime, name_of_ours = clients("sagemaker-featurestore-runtime"), rf"{settings.project}-athlete-day-v\d+"
    pages = clients("sagemaker").get_paginator("list_feature_groups").paginate(NameContains=settings.project)
    for group in (g["FeatureGroupName"] for page in pages for g in page["FeatureGroupSummaries"]):
        if re.fullmatch(name_of_ours, group) and (record := latest(runtime, group, athlete_id)) is not None:
            # A deletion counts only when it is later than the record.
            moment = max(now.astimezone(UTC), datetime.fromisoformat(record[EVENT_TIME]) + timedelta(seconds=1))
            erase = partial(
                runtime.delete_record,
                FeatureGroupName=group,
                RecordIdentifierValueAsString=athlete_id,
                EventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                # In the offline store a deletion only adds a row, which would name the athlete anew.
                TargetStores=["OnlineStore"],
                DeletionMode="HardDelete",
            )
            yield Erasure(f"online store: the record in {group}", erase)


def _own_objects(versions: ObjectVersions, athlete_id: str) -> Iterator[Erasure]:
    for place in lake.athlete_places(athlete_id):
        if own := list(versions.under(place)):
            yield Erasure(f"{place}: {_count(own)}", partial(versions.delete, own))


def _redactions(
    versions: ObjectVersions, prefix: str, suffix: str, redact: Redact, athlete_id: str
) -> Iterator[Erasure]:
    """Objects of several athletes, each rewritten without the one; versions that hold the athlete are deleted."""
    holding = _holding(versions, prefix, suffix, redact, athlete_id)
    if not holding:
        return

    def rewritten(version: Version) -> tuple[str, str | None] | None:
        if not version.is_latest or redact(versions.read(version), athlete_id) == b"":
            return None
        return version.key, versions.rewrite(version.key, lambda body: redact(body, athlete_id))

    def carry_out() -> None:
        with ThreadPoolExecutor(REWRITTEN_AT_ONCE) as pool:  # years of history are a file a day
            written = set(pool.map(rewritten, holding))
        versions.delete(version for version in holding if (version.key, version.version_id) not in written)

    yield Erasure(f"{prefix}: the athlete's part of {_count(holding)}", carry_out)


def _datasets(versions: ObjectVersions, athlete_id: str) -> Iterator[Erasure]:
    """Dataset versions keep the rows of the others; their manifests say that rows were erased."""
    holding = _holding(versions, lake.DATASETS_PREFIX, f"/{MANIFEST_FILE}", _manifest_without, athlete_id)
    for folder in _folders(holding):
        yield Erasure(f"{folder}: the athlete's rows", partial(_erase_rows, versions, folder, athlete_id))


def _erase_rows(versions: ObjectVersions, folder: str, athlete_id: str) -> None:
    key = f"{folder}{MANIFEST_FILE}"
    manifest = versions.newest(key)
    if manifest is None or _manifest_without(manifest, athlete_id) == b"":
        versions.delete(list(versions.under(folder)))
        return
    parts = {version.key for version in versions.under(f"{folder}{PARTS_FOLDER}/")}
    for part in sorted(part for part in parts if _holds(versions.newest(part), athlete_id)):
        files = {}
        for name in json.loads(versions.newest(part) or b"{}")["files"]:
            versions.rewrite(f"{folder}{name}", lambda body: redaction.csv_without(body, athlete_id))
            body = versions.newest(f"{folder}{name}") or b""
            files[name] = (body.count(b"\n") - 1, hashlib.sha256(body).hexdigest())
        versions.rewrite(part, partial(redaction.part_without, athlete_id=athlete_id, files=files))
    versions.rewrite(key, lambda body: redaction.manifest_without(body, athlete_id))
    versions.delete_old(folder)


def _holds(part: bytes | None, athlete_id: str) -> bool:
    return part is not None and redaction.part_without(part, athlete_id, {}) is not None


def _reports(versions: ObjectVersions, athlete_id: str) -> Iterator[Erasure]:
    """Evaluations lose what is the athlete's; pages and plots, which are pictures of it, are deleted."""
    holding = _holding(versions, lake.REPORTS_PREFIX, f"/{EVALUATION_FILE}", redaction.evaluation_without, athlete_id)
    for folder in _folders(holding):
        erase = partial(_redact_report, versions, folder, athlete_id)
        yield Erasure(f"{folder}: the athlete's part, pages and plots", erase)


def _redact_report(versions: ObjectVersions, folder: str, athlete_id: str) -> None:
    key = f"{folder}{EVALUATION_FILE}"
    everything, evaluation = list(versions.under(folder)), versions.newest(key)
    if evaluation is None or redaction.evaluation_without(evaluation, athlete_id) == b"":
        versions.delete(everything)
        return
    versions.delete(version for version in everything if version.key != key)
    versions.rewrite(key, lambda body: redaction.evaluation_without(body, athlete_id))
    versions.delete_old(folder)


def _data_docs(versions: ObjectVersions) -> Iterator[Erasure]:
    """All of them: a page shows values of rows without saying whose they are."""
    if pages := list(versions.under(lake.DATA_DOCS_PREFIX)):
        yield Erasure(f"{lake.DATA_DOCS_PREFIX}: all {_count(pages)}", partial(versions.delete, pages))


def _holding(versions: ObjectVersions, prefix: str, suffix: str, redact: Redact, athlete_id: str) -> list[Version]:
    """Versions of objects of several athletes that hold this one."""

    def holds(key: str, body: bytes) -> bool:
        try:
            return redact(body, athlete_id) is not None
        except redaction.NotReadable as error:
            raise NotErased(f"{key}: {error}; mend or delete it and run this again") from error

    return versions.matching(prefix, suffix, holds)


def _manifest_without(body: bytes, athlete_id: str) -> bytes | None:
    return redaction.manifest_without(body, athlete_id)


def _folders(holding: list[Version]) -> list[str]:
    return sorted({f"{PurePosixPath(version.key).parent}/" for version in holding})


def _count(found: list[Version]) -> str:
    objects = len({version.key for version in found})
    return f"{objects} object{'s' * (objects != 1)}, {len(found)} version{'s' * (len(found) != 1)}"
