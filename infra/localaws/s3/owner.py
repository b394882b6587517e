"""The owner that a request expects of a bucket: all buckets here are of one account."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

from infra.localaws.s3.errors import S3Error
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse

_HEADERS = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")


def is_refused(environ: Environ) -> bool:
    """Whether a request for a bucket of ours expects another owner; the refusal is left in the environ.

    It is asked before the body is read: a client that waits for `100 Continue` never sends it.
    """
    refusal = next((found for found in map(_refusal, _expected(environ)) if found), None)
    if refusal is None or not _names_a_bucket(environ):
        return False
    environ["localaws.s3.refusal"] = refusal
    return True


def refuse(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that `is_refused` took."""
    error: S3Error = environ["localaws.s3.refusal"]
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", "local")]
    start_response(f"{error.status} {HTTPStatus(error.status).phrase}", headers)
    return [error.xml()]


def _expected(environ: Environ) -> list[str]:
    """The owners that the headers name, or the query of a presigned address."""
    given = [environ.get(f"HTTP_{name.upper().replace('-', '_')}") for name in _HEADERS]
    if "expected-bucket-owner" in environ.get("QUERY_STRING", "").lower():
        query = {name.lower(): values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        given += [query.get(name) for name in _HEADERS]
    return [owner for owner in given if owner is not None]


def _refusal(owner: str) -> S3Error | None:
    if not re.fullmatch(r"\d{12}", owner):
        text = "The value of the expected bucket owner parameter must be an AWS account ID"
        return S3Error(400, "InvalidBucketOwnerAWSAccountID", text, {"AccountId": owner})
    return None if owner == ACCOUNT_ID else S3Error(403, "AccessDenied", "Access Denied")


def _names_a_bucket(environ: Environ) -> bool:
    """Whether the bucket is there at all: S3 says NoSuchBucket of one that is not, whoever is expected."""
    from moto.s3.models import s3_backends

    in_path = unquote(environ.get("RAW_URI", "").partition("?")[0]).lstrip("/").partition("/")[0]
    in_host = environ.get("HTTP_HOST", "").partition(".s3")[0]
    buckets = s3_backends[ACCOUNT_ID]["aws"].buckets
    return in_path in buckets or in_host in buckets
