"""ListObjectsV2 over the sorted names of a bucket: costs what it returns, not what the bucket holds."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from moto.s3.models import FakeBucket

from infra.localaws.s3.errors import S3Error
from infra.localaws.s3.objects import StoredKey, StoredKeys

MAX_KEYS = 1000
OWNER = "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
"""All objects are of the one account here."""


@dataclass
class Page:
    """What one answer holds."""

    keys: list[StoredKey] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_token: str | None = None

    def __len__(self) -> int:
        return len(self.keys) + len(self.prefixes)


def list_page(bucket: FakeBucket, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Keys and common prefixes with `prefix` that sort behind `after`, at most `limit` together."""
    names = cast(StoredKeys, bucket.keys).names
    page = Page()
    at = max(bisect_left(names, prefix), bisect_right(names, after) if after else 0)
    if delimiter and after.startswith(prefix) and (end := after.find(delimiter, len(prefix))) >= 0:
        at = max(at, behind(names, after[: end + len(delimiter)]))  # `after` lies in a prefix that was returned
    last = ""
    while at < len(names):
        name = names[at]
        if not name.startswith(prefix):
            break
        key = bucket.keys.get(name)
        if not isinstance(key, StoredKey):
            at += 1
            continue
        if len(page) == limit:
            page.next_token = base64.urlsafe_b64encode(last.encode()).decode() if limit else None
            break
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            page.keys.append(key)
            last = name
            at += 1
        else:
            last = name[: end + len(delimiter)]
            page.prefixes.append(last)
            at = behind(names, last)
    return page


def behind(names: list[str], prefix: str) -> int:
    """The index of the first name behind all those that start with `prefix`."""
    top = chr(0x10FFFF)
    at = bisect_left(names, prefix + top)
    while at < len(names) and names[at].startswith(prefix):
        at += 1
    return at


def answer(bucket: FakeBucket, query: dict[str, str]) -> bytes:
    """The XML of a ListObjectsV2 request.

    Raises:
        S3Error: max-keys that is no number, a continuation token that is not ours.
    """
    limit_text = query.get("max-keys", str(MAX_KEYS))
    if not limit_text.isdigit():
        raise S3Error(400, "InvalidArgument", "max-keys must be a number of 0 or more", {"ArgumentName": "max-keys"})
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    after = query.get("start-after", "") if token is None else _read_token(token)
    limit = min(int(limit_text), MAX_KEYS)
    page = list_page(bucket, prefix, delimiter, after, limit)
    encode = quote if query.get("encoding-type") == "url" else _plain
    head = {
        "Name": bucket.name,
        "Prefix": encode(prefix),
        "KeyCount": str(len(page)),
        "MaxKeys": limit_text,
        "IsTruncated": "true" if page.next_token else "false",
        "Delimiter": encode(delimiter),
        "EncodingType": query.get("encoding-type", ""),
        "ContinuationToken": token or "",
        "NextContinuationToken": page.next_token or "",
        "StartAfter": encode(query.get("start-after", "")),
    }
    always = ("Name", "Prefix")
    parts = [f"<{name}>{escape(value)}</{name}>" for name, value in head.items() if value or name in always]
    owner = query.get("fetch-owner") == "true"
    parts += [_contents(key, encode(key.name), owner) for key in page.keys]
    parts += [f"<CommonPrefixes><Prefix>{escape(encode(name))}</Prefix></CommonPrefixes>" for name in page.prefixes]
    inner = "".join(parts)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</ListBucketResult>'
    ).encode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    return text


def _contents(key: Any, name: str, owner: bool) -> str:
    algorithm = f"<ChecksumAlgorithm>{key.checksum_algorithm}</ChecksumAlgorithm>" if key.checksum_algorithm else ""
    who = OWNER if owner else ""
    return (
        f"<Contents><Key>{escape(name)}</Key><LastModified>{key.last_modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(key.etag)}</ETag>{algorithm}<Size>{key.size}</Size>{who}"
        f"<StorageClass>{key.storage_class}</StorageClass></Contents>"
    )


def _read_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError):
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from None
