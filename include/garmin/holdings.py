"""What raw holds already, told from its keys alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.lake import raw_key, raw_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_KEY = re.compile(
    r"raw/athlete_id=(?P<athlete>[^/]+)/(?P<kind>[a-z_]+)/(?P<day>\d{4}/\d{2}/\d{2})/"
    r"(?P<name>.+)\.(?P<fetched_at>\d{8}t\d{6}z)\.(?P<digest>[0-9a-f]{12})\.json"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Version:
    """One kept version of one document; `slot` is what all versions of a document share."""

    kind: str
    last_day: date
    name: str
    fetched_at: datetime
    digest: str

    @property
    def slot(self) -> tuple[str, date, str]:
        return self.kind, self.last_day, self.name

    @property
    def rank(self) -> tuple[datetime, str]:
        """The newest version of a slot has the highest."""
        return self.fetched_at, self.digest

    def key(self, athlete_id: str) -> str:
        return raw_key(
            athlete_id, self.kind, self.last_day, f"{self.name}.{self.fetched_at:%Y%m%dt%H%M%Sz}.{self.digest}"
        )


def version_of_key(key: str) -> Version | None:
    """The version that a key of raw names; None for a key that is none."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return Version(
        kind=match["kind"],
        last_day=datetime.strptime(match["day"], "%Y/%m/%d").date(),
        name=match["name"],
        fetched_at=datetime.strptime(match["fetched_at"], "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC),
        digest=match["digest"],
    )


def safe_name(name: str) -> str:
    """A document's name as it stands in a key."""
    return _UNSAFE.sub("-", name) or "document"


@dataclass
class Holdings:
    """The newest version of every document of one athlete, listed by kind and year as they are asked for."""

    s3: "S3Client"
    bucket: str
    athlete_id: str
    _newest: dict[tuple[str, date, str], Version] = field(default_factory=dict)
    _listed: set[str] = field(default_factory=set)

    def newest(self, kind: str, last_day: date, name: str) -> Version | None:
        """The newest kept version of a document; None when raw holds none."""
        prefix = f"{raw_prefix(self.athlete_id)}{kind}/{last_day:%Y}/"
        if prefix not in self._listed:
            self._listed.add(prefix)
            for key in list_keys(self.s3, self.bucket, prefix):
                if (version := version_of_key(key)) is not None:
                    self.note(version)
        return self._newest.get((kind, last_day, safe_name(name)))

    def note(self, version: Version) -> None:
        """Take a version into account that was just written."""
        known = self._newest.get(version.slot)
        if known is None or known.rank < version.rank:
            self._newest[version.slot] = version

    def settled_before(self, day: date, kind: str, last_day: date, name: str) -> bool:
        """Whether a document is held whose days all lie before `day`: later ones may still change."""
        return last_day < day and self.newest(kind, last_day, name) is not None


def newest_keys(keys: Iterable[str]) -> list[str]:
    """Of keys of raw, that of the newest version of each document, in order."""
    newest: dict[tuple[str, date, str], Version] = {}
    key_of: dict[Version, str] = {}
    for key in keys:
        if (version := version_of_key(key)) is None:
            continue
        key_of[version] = key
        if version.slot not in newest or newest[version.slot].rank < version.rank:
            newest[version.slot] = version
    return sorted(key_of[version] for version in newest.values())


def list_keys(s3: "S3Client", bucket: str, prefix: str, start_after: str = "") -> Iterator[str]:
    """All keys under `prefix` after `start_after`, in order."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after)
    for page in pages:
        for item in page.get("Contents", []):
            yield item["Key"]
