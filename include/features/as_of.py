"""The moment of a dataset: which puts it holds, and from when on the offline store has them all.

A dataset holds the rows that were put up to its moment. Feature Store writes each of them to the offline store within
a known time, partition by partition, so an object that has arrived says nothing of the others: only the clock does.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from include.lake import LAST_PUT_KEY


def note_last_put(s3: Any, bucket: str, feature_group: str, put_at: datetime) -> None:
    """Keep the moment (aware) at which a run had put all its feature rows, for builds that are started by hand."""
    document = {"put_at": put_at.astimezone(UTC).isoformat(), "feature_group": feature_group}
    s3.put_object(Bucket=bucket, Key=LAST_PUT_KEY, Body=json.dumps(document).encode(), ContentType="application/json")


def read_last_put(s3: Any, bucket: str, feature_group: str) -> datetime | None:
    """The moment that `note_last_put` kept last; None where no run has ended since the group was taken into use."""
    try:
        document = json.loads(s3.get_object(Bucket=bucket, Key=LAST_PUT_KEY)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None
    return datetime.fromisoformat(document["put_at"]) if document["feature_group"] == feature_group else None


def dataset_moment(announced: Iterable[str], last_put: datetime | None, asked_at: datetime) -> datetime:
    """The moment of the dataset of one build.

    Args:
        announced: `put_at` (ISO-8601) of the feature runs that started the build; none when a person did.
        last_put: when the last feature run ended. A build by hand takes that moment and not its own: while a run is
            putting rows, some athletes have their newest and others do not.
        asked_at: when the build was asked for; its moment where no feature run has ended before it.
    """
    moments = [datetime.fromisoformat(text) for text in announced]
    if not moments and last_put is not None and last_put <= asked_at:
        moments = [last_put]
    return max(moments, default=asked_at).astimezone(UTC)


def is_complete(as_of: datetime, lag_s: float, now: datetime) -> bool:
    """Whether all that was put up to `as_of` is in the offline store, which takes at most `lag_s` seconds."""
    return now >= as_of + timedelta(seconds=lag_s)
