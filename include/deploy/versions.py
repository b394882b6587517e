"""Every version of every object under a prefix: in a versioned bucket nothing is gone before all of them are."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import Any

DELETED_AT_ONCE = 1000
"""DeleteObjects takes no more."""
READ_AT_ONCE = 8


class NotDeleted(Exception):
    """S3 kept some versions; the message names the first and the reason."""


@dataclass(frozen=True)
class Version:
    """One version of an object, or a delete marker, which has no content."""

    key: str
    version_id: str
    is_latest: bool
    is_marker: bool


class ObjectVersions:
    """The versions of one bucket's objects."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def under(self, prefix: str) -> Iterator[Version]:
        """All versions and delete markers whose key begins with `prefix`."""
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            for name, is_marker in (("Versions", False), ("DeleteMarkers", True)):
                for found in page.get(name, []):
                    yield Version(found["Key"], found["VersionId"], found["IsLatest"], is_marker)

    def matching(self, prefix: str, suffix: str, is_wanted: Callable[[str, bytes], bool]) -> list[Version]:
        """The versions under `prefix` whose key ends with `suffix` and whose key and content `is_wanted` accepts."""
        candidates = [v for v in self.under(prefix) if v.key.endswith(suffix) and not v.is_marker]
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            wanted = list(pool.map(lambda version: is_wanted(version.key, self.read(version)), candidates))
        return [version for version, found in zip(candidates, wanted, strict=True) if found]

    def read(self, version: Version) -> bytes:
        """The content of a version that is no delete marker."""
        answer = self._s3.get_object(Bucket=self._bucket, Key=version.key, VersionId=version.version_id)
        return bytes(answer["Body"].read())

    def newest(self, key: str) -> bytes | None:
        """The content of an object as it is now; None where it is deleted or never was."""
        try:
            return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except self._s3.exceptions.NoSuchKey:
            return None

    def delete(self, versions: Iterable[Version]) -> None:
        """Delete versions for good.

        Raises:
            NotDeleted: S3 refused some of them; the others are gone.
        """
        for batch in batched(versions, DELETED_AT_ONCE):
            objects = [{"Key": version.key, "VersionId": version.version_id} for version in batch]
            answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                first = errors[0]
                raise NotDeleted(f"{len(errors)} versions not deleted, first {first['Key']}: {first.get('Message')}")

    def rewrite(self, key: str, change: Callable[[bytes], bytes | None]) -> str | None:
        """Write the changed content over the newest version, unless it changed meanwhile; older versions stay.

        Args:
            change: the new content; None leaves the object as it is.

        Returns:
            The id of the version that was written; None where nothing was.

        Raises:
            botocore.exceptions.ClientError: PreconditionFailed when another writer was first.
        """
        found = self._s3.get_object(Bucket=self._bucket, Key=key)
        body = change(found["Body"].read())
        if body is None:
            return None
        kept = {"ContentType": found["ContentType"], "Metadata": found["Metadata"]}
        written = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=found["ETag"], **kept)
        return str(written.get("VersionId", "null"))  # in a bucket without versions there is one, and it is named so

    def delete_old(self, prefix: str) -> None:
        """Delete all versions under `prefix` but the newest of each object; markers of deleted objects go as well."""
        self.delete(version for version in list(self.under(prefix)) if version.is_marker or not version.is_latest)
