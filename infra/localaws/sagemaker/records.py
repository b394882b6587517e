"""A job as the control plane keeps it: plain data in moto's backend, so that it is kept with the rest of the state."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from infra.localaws.sagemaker.errors import ValidationException

LIST_PAGE_SIZE = 100
RESTARTED = "ClientError: local AWS was restarted while the job ran"


class JobRecord:
    """What Describe answers, with the `arn` and `tags` that moto's tagging looks for.

    `description` is replaced, never changed in place: a snapshot of the state may be taken at any moment.
    """

    def __init__(self, arn: str, tags: list[dict[str, str]], description: dict[str, Any]) -> None:
        self.arn = arn
        self.tags = tags
        self.description = description

    def change(self, now: datetime, **fields: Any) -> None:
        self.description = {**self.description, **fields, "LastModifiedTime": now}

    @property
    def response_object(self) -> dict[str, Any]:
        return self.description


def utc_now() -> datetime:
    """Now, as moto keeps times: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def epoch_s(moment: datetime) -> int:
    """Seconds since 1970 of a time as moto keeps it."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def summaries(
    records: Iterable[JobRecord], request: dict[str, Any], kind: str, fields: Iterable[str]
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a List action over jobs of a `kind` (`TrainingJob`, `ProcessingJob`), and the next token."""
    keep = _filter_of(request, kind)
    found = [record.description for record in records if keep(record.description)]
    sort_by = {"Name": f"{kind}Name", "Status": f"{kind}Status"}.get(request.get("SortBy", ""), "CreationTime")
    found.sort(key=lambda it: it[sort_by], reverse=request.get("SortOrder", "Descending") == "Descending")
    page, token = page_of(found, request, LIST_PAGE_SIZE)
    return [{name: it[name] for name in fields if name in it} for it in page], token


def page_of[T](items: Sequence[T], request: dict[str, Any], page_size: int) -> tuple[Sequence[T], str | None]:
    """One page of sorted items, of `MaxResults` or `page_size` at most, and the token of the next page."""
    start = _position(request.get("NextToken"))
    end = start + min(int(request.get("MaxResults", page_size)), page_size)
    return items[start:end], str(end) if end < len(items) else None


def _position(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise ValidationException("Invalid pagination token.")
    return int(token)


def _filter_of(request: dict[str, Any], kind: str) -> Callable[[dict[str, Any]], bool]:
    def keep(it: dict[str, Any]) -> bool:
        if request.get("NameContains", "") not in it[f"{kind}Name"]:
            return False
        if request.get("StatusEquals") not in (None, it[f"{kind}Status"]):
            return False
        return all(
            is_within(_timestamp(it[field]), request.get(f"{field}After"), request.get(f"{field}Before"))
            for field in ("CreationTime", "LastModifiedTime")
        )

    return keep


def _timestamp(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def is_within(seconds: float, after: Any, before: Any) -> bool:
    """Whether a time (seconds since 1970) lies between two as sent; None for no bound."""
    return (after is None or seconds > seconds_of(after)) and (before is None or seconds < seconds_of(before))


def seconds_of(timestamp: float | str) -> float:
    """A timestamp as sent (a number, or ISO-8601 text) in seconds since 1970."""
    if isinstance(timestamp, str):
        return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
    return float(timestamp)
