"""Conditional headers and byte ranges (RFC 9110, as S3 reads them): pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from infra.localaws.s3.errors import S3Error, precondition_failed
from infra.localaws.world import Environ


def is_unmodified(environ: Environ, etag: str, modified: datetime) -> bool:
    """Whether a GET or HEAD is answered by 304.

    Args:
        etag: with its quotes.
        modified: naive UTC or aware.

    Raises:
        S3Error: 412, where If-Match or If-Unmodified-Since does not hold.
    """
    at = (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).replace(microsecond=0)
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None:
        if not _matches(if_match, etag):
            raise precondition_failed("If-Match")
    elif (before := _date(environ.get("HTTP_IF_UNMODIFIED_SINCE"))) and at > before:
        raise precondition_failed("If-Unmodified-Since")
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match is not None:
        return _matches(if_none_match, etag)
    since = _date(environ.get("HTTP_IF_MODIFIED_SINCE"))
    return since is not None and at <= since


def check_put(environ: Environ, current_etag: str | None) -> None:
    """Conditional writes: `If-None-Match: *` and `If-Match: etag`.

    Args:
        current_etag: of the object that is there, with quotes; None where there is none.

    Raises:
        S3Error: 412 where the condition does not hold, 404 for If-Match on nothing.
    """
    if environ.get("HTTP_IF_NONE_MATCH") == "*" and current_etag is not None:
        raise precondition_failed("If-None-Match")
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is None:
        return
    if current_etag is None:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    if not _matches(if_match, current_etag):
        raise precondition_failed("If-Match")


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for the whole body (no range, or one that S3 ignores).

    Raises:
        S3Error: 416, where the range lies behind the end.
    """
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first + last).isdigit() or any(part and not part.isdigit() for part in (first, last)):
        return None
    if first:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < int(first):
            return None
    else:
        begin, end = max(size - int(last), 0), size - 1
    if begin >= size or (not first and int(last) == 0):
        details = {"RangeRequested": header, "ActualObjectSize": str(size)}
        headers = [("Content-Range", f"bytes */{size}")]
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable", details, headers)
    return begin, end


def _matches(header: str, etag: str) -> bool:
    wanted = {word.strip().removeprefix("W/").strip('"') for word in header.split(",")}
    return "*" in wanted or etag.strip('"') in wanted


def _date(header: str | None) -> datetime | None:
    if not header:
        return None
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
