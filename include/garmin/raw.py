"""The raw prefix: responses kept exactly as received, never changed, each content once."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from include.garmin.document import NO_DAY, RawDocument, StoredDocument
from include.garmin.holdings import Holdings, Version, list_keys, newest_keys, safe_name, version_of_key
from include.lake import DAY_KINDS, LISTING_KIND, RAW_KINDS, quarantine_raw_stem, raw_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Beyond this a response is not parsed. A page of 100 activities is about 250 kB, ten years in one file about 5 MB."""
REQUESTS_AT_ONCE = 8


@dataclass(frozen=True)
class RawWritten:
    """How many responses were new, already held, or no JSON (these are in quarantine)."""

    written: int = 0
    unchanged: int = 0
    rejected: int = 0


def write_raw(
    s3: "S3Client",
    bucket: str,
    athlete_id: str,
    documents: Iterable[RawDocument],
    fetched_at: datetime,
    holdings: Holdings | None = None,
    note_new: Callable[[date], None] = lambda _day: None,
) -> RawWritten:
    """Keep `documents` under the raw prefix; one that is no JSON goes to quarantine and the others go on.

    A document whose newest kept version has the same content is not written again, so a rerun changes nothing. When
    `documents` raises, what it gave before is kept.

    Args:
        fetched_at: moment of the fetch, UTC.
        holdings: what raw is known to hold; listed anew when None.
        note_new: called with the first day of a document before it is written.

    Raises:
        ValueError: a kind that the bucket's layout does not know.
    """
    held = holdings or Holdings(s3, bucket, athlete_id)
    written = unchanged = rejected = 0
    with _Requests() as requests:
        for document in documents:
            digest = hashlib.sha256(document.body).hexdigest()[:12]
            version = Version(document.kind, document.last_day, safe_name(document.name), fetched_at, digest)
            newest = held.newest(*version.slot)
            if newest is not None and newest.digest == digest:
                unchanged += 1
            elif (reason := document.unreadable or why_unreadable(document.body)) is not None:
                _quarantine(s3, bucket, athlete_id, version, document.body, reason)
                rejected += 1
            else:
                note_new(document.first_day or document.last_day)
                put = partial(s3.put_object, Bucket=bucket, ContentType="application/json")
                requests.start(partial(put, Key=version.key(athlete_id), Body=document.body))
                held.note(version)
                written += 1
    return RawWritten(written, unchanged, rejected)


def read_raw(
    s3: "S3Client", bucket: str, athlete_id: str, since: date | None = None, days_since: date | None = None
) -> Iterator[StoredDocument]:
    """The kept documents that cover `since` or a later day (None: all), in key order; none for an unknown athlete.

    Those whose day is not known are read whatever `since` is; of listings the newest of each source.

    Args:
        days_since: for documents of DAY_KINDS, in place of `since`. There are several of them a day, so to read fewer
            is to send a quarter of the requests.
    """

    def stored(key: str) -> StoredDocument | None:
        version = version_of_key(key)
        if version is None:
            return None
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return StoredDocument(*version.slot, body, athlete_id, version.fetched_at, key)

    def keys_of(kind: str) -> Iterable[str]:
        prefix = f"{raw_prefix(athlete_id)}{kind}/"
        if kind == LISTING_KIND:
            return newest_keys(list_keys(s3, bucket, prefix))
        start = days_since or since if kind in DAY_KINDS else since
        if start is None or start <= NO_DAY:
            return list_keys(s3, bucket, prefix)
        undated = list_keys(s3, bucket, f"{prefix}{NO_DAY:%Y/%m/%d}/")
        return chain(undated, list_keys(s3, bucket, prefix, f"{prefix}{start:%Y/%m/%d}/"))

    keys = chain.from_iterable(keys_of(kind) for kind in sorted(RAW_KINDS))
    return (document for document in _ahead(stored, keys) if document is not None)


def why_unreadable(body: bytes) -> str | None:
    """Why `body` cannot be read as JSON, or None when it can."""
    if len(body) > MAX_DOCUMENT_BYTES:
        return f"larger than {MAX_DOCUMENT_BYTES} bytes: {len(body)}"
    try:
        msgspec.json.decode(body, type=msgspec.Raw)  # twenty times as fast, and stricter: it does not know NaN
    except (ValueError, RecursionError):
        return _why_not_json(body)
    return None


def _why_not_json(body: bytes) -> str | None:
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return None


class _Requests:
    """A few requests at once; leaving waits for all, and raises the first failure."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE)
        self._under_way: deque[Future[object]] = deque()

    def start(self, request: Callable[[], object]) -> None:
        """Start a request, when few enough are under way: bodies that wait are memory."""
        if len(self._under_way) >= 2 * REQUESTS_AT_ONCE:
            self._under_way.popleft().result()
        self._under_way.append(self._pool.submit(request))

    def __enter__(self) -> "_Requests":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            for request in self._under_way:
                request.result()


def _ahead[T](get: Callable[[str], T], keys: Iterable[str]) -> Iterator[T]:
    """`get` of every key, in order, a few at once."""
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        under_way: deque[Future[T]] = deque()
        for key in keys:
            under_way.append(pool.submit(get, key))
            if len(under_way) >= 2 * REQUESTS_AT_ONCE:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _quarantine(s3: "S3Client", bucket: str, athlete_id: str, version: Version, body: bytes, reason: str) -> None:
    stem = quarantine_raw_stem(athlete_id, version.kind, version.last_day, f"{version.name}.{version.digest}")
    note = {"reason": reason, "bytes": len(body), "kind": version.kind, "name": version.name}
    s3.put_object(Bucket=bucket, Key=f"{stem}.body", Body=body)
    s3.put_object(Bucket=bucket, Key=f"{stem}.reason.json", Body=json.dumps(note, sort_keys=True).encode())
