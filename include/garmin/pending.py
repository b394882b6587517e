"""From which day on raw holds what an athlete's tables do not have yet.

It is noted before a new document is kept and settled once the rows made of it are on their way to the feature group.
So whatever breaks off between the two, the next run goes back as far as it has to.
"""

import json
from datetime import date
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.lake import pending_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read_pending(s3: "S3Client", bucket: str, athlete_id: str) -> date | None:
    """The first day of what is new in raw; None where the tables have all of it."""
    try:
        body = s3.get_object(Bucket=bucket, Key=pending_key(athlete_id))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    since = json.loads(body)["since"]
    return date.fromisoformat(since) if since else None


def note_pending(s3: "S3Client", bucket: str, athlete_id: str, day: date) -> None:
    """Note that raw is about to hold something new of `day`."""
    noted = read_pending(s3, bucket, athlete_id)
    if noted is None or day < noted:
        _put(s3, bucket, athlete_id, day)


def settle_pending(s3: "S3Client", bucket: str, athlete_id: str, taken: date | None) -> None:
    """Note that the tables have what was new from `taken` on; what another run noted meanwhile stays."""
    if taken is not None and read_pending(s3, bucket, athlete_id) == taken:
        _put(s3, bucket, athlete_id, None)


def _put(s3: "S3Client", bucket: str, athlete_id: str, since: date | None) -> None:
    body = json.dumps({"since": since.isoformat() if since else None}).encode()
    s3.put_object(Bucket=bucket, Key=pending_key(athlete_id), Body=body, ContentType="application/json")
