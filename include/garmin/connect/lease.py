"""One run at a time renews an athlete's tokens: a lease is an object of the bucket that S3 lets one writer put."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from include.garmin.document import SourceError
from include.lake import garmin_lease_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIFE_S = 300.0
"""Longer than a renewal with all its tries takes. A run that dies holds the lease for no longer."""
PAUSE_S = 2.0
_OTHERS_WERE_FIRST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class LeaseTaken(SourceError):
    """Another run keeps the lease."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def lease(
    s3: "S3Client",
    bucket: str,
    athlete_id: str,
    *,
    longest_wait_s: float = LIFE_S + 30.0,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[None]:
    """Hold the athlete's lease: `{"holder": …, "expires_at": …}`, waited for while another run has it.

    Taken by conditional writes alone: If-None-Match where there is no lease, If-Match over one that has expired. It
    is given back by letting it expire at once, on the condition that it is still this holder's.

    Raises:
        LeaseTaken: another run still had it after `longest_wait_s`.
    """
    key, holder = garmin_lease_key(athlete_id), uuid.uuid4().hex
    waited_s = 0.0
    while (etag := _try_to_take(s3, bucket, key, holder, now())) is None:
        if waited_s >= longest_wait_s:
            raise LeaseTaken(
                f"another run has been renewing the Garmin tokens of {athlete_id} for {waited_s:.0f} s "
                f"(s3://{bucket}/{key}); run again when it is done"
            )
        sleep(PAUSE_S)
        waited_s += PAUSE_S
    try:
        yield
    finally:
        with suppress(BotoCoreError, ClientError):  # it expires by itself
            _put(s3, bucket, key, holder, now(), IfMatch=etag)


def _try_to_take(s3: "S3Client", bucket: str, key: str, holder: str, now: datetime) -> str | None:
    """The ETag of this holder's lease; None while another holds it."""
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return _put(s3, bucket, key, holder, now + timedelta(seconds=LIFE_S), IfNoneMatch="*")
    if _expires_at(found["Body"].read()) > now:
        return None
    return _put(s3, bucket, key, holder, now + timedelta(seconds=LIFE_S), IfMatch=found["ETag"])


def _put(s3: "S3Client", bucket: str, key: str, holder: str, expires_at: datetime, **condition: Any) -> str | None:
    """The ETag of what was written; None when another was first."""
    body = json.dumps({"holder": holder, "expires_at": expires_at.isoformat()}).encode()
    try:
        return s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition)["ETag"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _OTHERS_WERE_FIRST:
            raise
        return None


def _expires_at(body: bytes) -> datetime:
    """What cannot be read holds nobody off."""
    try:
        return datetime.fromisoformat(json.loads(body)["expires_at"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return datetime.min.replace(tzinfo=UTC)
