"""ListObjectVersions over the sorted names of a bucket: costs what it returns, not what the bucket holds."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from moto.s3.models import FakeBucket

from infra.localaws.s3.errors import S3Error
from infra.localaws.s3.listing import MAX_KEYS, OWNER, behind
from infra.localaws.s3.objects import StoredKey, StoredKeys, StoredMarker

Versioned = StoredKey | StoredMarker


@dataclass(frozen=True)
class Marker:
    """The place behind which a page begins: all of a key or prefix, or one version of a key where it names one."""

    key: str
    version_id: str = ""


@dataclass
class Page:
    """What one answer holds; `following` is where the next page goes on, None behind the last."""

    versions: list[tuple[Versioned, bool]] = field(default_factory=list)
    """Versions and delete markers, each with whether it is the latest of its key."""
    prefixes: list[str] = field(default_factory=list)
    following: Marker | None = None

    def __len__(self) -> int:
        return len(self.versions) + len(self.prefixes)


def version_page(bucket: FakeBucket, prefix: str, delimiter: str, after: Marker, limit: int) -> Page:
    """Versions, newest first within a key, and common prefixes that lie behind `after`, at most `limit` together."""
    names = cast(StoredKeys, bucket.keys).names
    page, last = Page(), Marker("")
    at = _first(names, prefix, delimiter, after)
    while at < len(names) and (name := names[at]).startswith(prefix):
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            if len(page) == limit:
                page.following = last if limit else None
                return page
            last = Marker(name[: end + len(delimiter)])
            page.prefixes.append(last.key)
            at = behind(names, last.key)
            continue
        for version, is_latest in _versions(bucket, name, after):
            if len(page) == limit:
                page.following = last if limit else None
                return page
            page.versions.append((version, is_latest))
            last = Marker(name, version.version_id)
        at += 1
    return page


def _first(names: list[str], prefix: str, delimiter: str, after: Marker) -> int:
    """The index of the first name that may have something behind the marker."""
    at = bisect_left(names, prefix)
    if not after.key:
        return at
    if delimiter and after.key.startswith(prefix) and (end := after.key.find(delimiter, len(prefix))) >= 0:
        return max(
            at, behind(names, after.key[: end + len(delimiter)])
        )  # the marker lies in a prefix that was returned
    return max(at, bisect_left(names, after.key) if after.version_id else bisect_right(names, after.key))


def _versions(bucket: FakeBucket, name: str, after: Marker) -> Iterator[tuple[Versioned, bool]]:
    """The versions of a key, newest first; of the marker's key those behind it, or all where it is gone since."""
    newest_first = list(reversed(bucket.keys.getlist(name, [])))
    ids = [version.version_id for version in newest_first]
    is_cut = name == after.key and after.version_id in ids
    for number in range(ids.index(after.version_id) + 1 if is_cut else 0, len(newest_first)):
        yield newest_first[number], number == 0


def answer(bucket: FakeBucket, query: dict[str, str]) -> bytes:
    """The XML of a ListObjectVersions request.

    Raises:
        S3Error: max-keys that is no number, a version marker without a key marker.
    """
    limit_text = query.get("max-keys", str(MAX_KEYS))
    if not limit_text.isdigit():
        raise S3Error(400, "InvalidArgument", "max-keys must be a number of 0 or more", {"ArgumentName": "max-keys"})
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = Marker(query.get("key-marker", ""), query.get("version-id-marker", ""))
    if after.version_id and not after.key:
        message = "A version-id marker cannot be specified without a key marker."
        raise S3Error(400, "InvalidArgument", message, {"ArgumentName": "version-id-marker"})
    page = version_page(bucket, prefix, delimiter, after, min(int(limit_text), MAX_KEYS))
    encode = quote if query.get("encoding-type") == "url" else str
    following = page.following or Marker("")
    head = {
        "Name": bucket.name,
        "Prefix": encode(prefix),
        "KeyMarker": encode(after.key),
        "VersionIdMarker": after.version_id,
        "NextKeyMarker": encode(following.key),
        "NextVersionIdMarker": following.version_id,
        "MaxKeys": limit_text,
        "Delimiter": encode(delimiter),
        "EncodingType": query.get("encoding-type", ""),
        "IsTruncated": "true" if page.following else "false",
    }
    always = ("Name", "Prefix", "KeyMarker", "VersionIdMarker")
    parts = [f"<{name}>{escape(value)}</{name}>" for name, value in head.items() if value or name in always]
    parts += [_element(version, encode(str(version.name)), is_latest) for version, is_latest in page.versions]
    parts += [f"<CommonPrefixes><Prefix>{escape(encode(name))}</Prefix></CommonPrefixes>" for name in page.prefixes]
    inner = "".join(parts)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</ListVersionsResult>'
    ).encode("utf-8", "surrogateescape")


def _element(version: Versioned, name: str, is_latest: bool) -> str:
    kind, content = "DeleteMarker", ""
    if isinstance(version, StoredKey):
        kind = "Version"
        if version.checksum_algorithm:
            content = f"<ChecksumAlgorithm>{version.checksum_algorithm}</ChecksumAlgorithm>"
        content += (
            f"<ETag>{escape(version.etag)}</ETag><Size>{version.size}</Size>"
            f"<StorageClass>{version.storage_class}</StorageClass>"
        )
    return (
        f"<{kind}><Key>{escape(name)}</Key><VersionId>{version.version_id}</VersionId>"
        f"<IsLatest>{str(is_latest).lower()}</IsLatest>"
        f"<LastModified>{version.last_modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>{content}{OWNER}</{kind}>"
    )
