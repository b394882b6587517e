"""The raw prefix: responses kept exactly as received, never changed, each content once."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.garmin.document import RawDocument, StoredDocument
from include.lake import RAW_KINDS, raw_key, raw_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Beyond this a response is not parsed. A page of 100 activities is about 250 kB, ten years in one file about 5 MB."""
QUARANTINE_RAW_PREFIX = "quarantine/raw/"

_KEY = re.compile(
    r"raw/athlete_id=(?P<athlete>[^/]+)/(?P<kind>[a-z_]+)/(?P<day>\d{4}/\d{2}/\d{2})/"
    r"(?P<name>.+)\.(?P<fetched_at>\d{8}t\d{6}z)\.(?P<digest>[0-9a-f]{12})\.json"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class RawWritten:
    """How many responses were new, already held, or no JSON (these are in quarantine)."""

    written: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass
class _NewestDigests:
    """The newest digest of every (kind, last day, name), listed by kind and year as they are asked for."""

    s3: "S3Client"
    bucket: str
    athlete_id: str
    newest: dict[tuple[str, date, str], tuple[str, str]] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)

    def holds(self, document: RawDocument, digest: str) -> bool:
        prefix = f"{raw_prefix(self.athlete_id)}{document.kind}/{document.last_day:%Y}/"
        if prefix not in self.listed:
            self.listed.add(prefix)
            for key in list_keys(self.s3, self.bucket, prefix):
                self._note(key)
        return self.newest.get((document.kind, document.last_day, document.name), ("", ""))[1] == digest

    def remember(self, key: str) -> None:
        self._note(key)

    def _note(self, key: str) -> None:
        match = _KEY.fullmatch(key)
        if match is None:
            return
        slot = (match["kind"], datetime.strptime(match["day"], "%Y/%m/%d").date(), match["name"])
        self.newest[slot] = max(self.newest.get(slot, ("", "")), (match["fetched_at"], match["digest"]))


def write_raw(
    s3: "S3Client", bucket: str, athlete_id: str, documents: Iterable[RawDocument], fetched_at: datetime
) -> RawWritten:
    """Keep `documents` under the raw prefix; one that is no JSON goes to quarantine and the others go on.

    A document whose newest kept version has the same content is not written again, so a rerun changes nothing.

    Args:
        fetched_at: moment of the fetch, UTC.

    Raises:
        ValueError: a kind that the bucket's layout does not know.
    """
    newest = _NewestDigests(s3, bucket, athlete_id)
    written = unchanged = rejected = 0
    for received in documents:
        document = RawDocument(received.kind, received.last_day, _safe_name(received.name), received.body)
        digest = hashlib.sha256(document.body).hexdigest()[:12]
        key = raw_key(
            athlete_id, document.kind, document.last_day, f"{document.name}.{fetched_at:%Y%m%dt%H%M%Sz}.{digest}"
        )
        if newest.holds(document, digest):
            unchanged += 1
        elif (reason := why_unreadable(document.body)) is not None:
            _quarantine(s3, bucket, athlete_id, document, digest, reason)
            rejected += 1
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=document.body, ContentType="application/json")
            newest.remember(key)
            written += 1
    return RawWritten(written, unchanged, rejected)


def read_raw(s3: "S3Client", bucket: str, athlete_id: str, since: date | None = None) -> Iterator[StoredDocument]:
    """The kept documents that cover `since` or a later day (None: all), in key order; none for an unknown athlete."""
    for kind in sorted(RAW_KINDS):
        prefix = f"{raw_prefix(athlete_id)}{kind}/"
        start_after = f"{prefix}{since:%Y/%m/%d}/" if since else prefix
        for key in list_keys(s3, bucket, prefix, start_after):
            match = _KEY.fullmatch(key)
            if match is None:
                continue
            yield StoredDocument(
                kind=kind,
                last_day=datetime.strptime(match["day"], "%Y/%m/%d").date(),
                name=match["name"],
                body=s3.get_object(Bucket=bucket, Key=key)["Body"].read(),
                athlete_id=athlete_id,
                fetched_at=datetime.strptime(match["fetched_at"], "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC),
                key=key,
            )


def why_unreadable(body: bytes) -> str | None:
    """Why `body` cannot be read as JSON, or None when it can."""
    if len(body) > MAX_DOCUMENT_BYTES:
        return f"larger than {MAX_DOCUMENT_BYTES} bytes: {len(body)}"
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return None


def list_keys(s3: "S3Client", bucket: str, prefix: str, start_after: str = "") -> Iterator[str]:
    """All keys under `prefix` after `start_after`, in order."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after)
    for page in pages:
        for item in page.get("Contents", []):
            yield item["Key"]


def _quarantine(s3: "S3Client", bucket: str, athlete_id: str, document: RawDocument, digest: str, reason: str) -> None:
    stem = (
        f"{QUARANTINE_RAW_PREFIX}athlete_id={athlete_id}/{document.kind}/{document.last_day:%Y/%m/%d}/"
        f"{document.name}.{digest}"
    )
    note = {"reason": reason, "bytes": len(document.body), "kind": document.kind, "name": document.name}
    s3.put_object(Bucket=bucket, Key=f"{stem}.body", Body=document.body)
    s3.put_object(Bucket=bucket, Key=f"{stem}.reason.json", Body=json.dumps(note, sort_keys=True).encode())


def _safe_name(name: str) -> str:
    return _UNSAFE.sub("-", name) or "document"
