"""Buckets, uploads and objects out of the journal, and buckets into it."""

import pickle
import threading
from collections.abc import Iterable
from typing import Any, cast

from moto.s3 import models
from moto.s3.models import FakeBucket, FakeMultipart, S3Backend

from infra.localaws.s3.journal import Journal
from infra.localaws.s3.objects import StoredKey, StoredKeys, StoredMarker, StoredUploads

_NOT_STATE = ("keys", "multiparts")


class BucketBook:
    """Which state of each bucket the journal has."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._written: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def flush_unknown(self, names: Iterable[str]) -> None:
        """Write buckets that have objects but no row yet."""
        if any(name and name not in self._written for name in names):
            self.flush()

    def flush(self) -> None:
        """Write buckets that are new or whose settings or tags changed, delete those that are gone."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        present: set[str] = set()
        for account, partition, found in models.s3_backends.iter_backends():
            backend = cast(S3Backend, found)
            for bucket in list(backend.buckets.values()):
                present.add(bucket.name)
                state = _bucket_state(backend, bucket)
                if self._written.get(bucket.name) != state:
                    self.journal.put_bucket(bucket.name, account, partition, state)
                    self._written[bucket.name] = state
        for name in set(self._written) - present:
            self.journal.delete_bucket(name)
            del self._written[name]

    def restore(self) -> None:
        """Fill moto's S3 with what the journal holds."""
        buckets: dict[str, FakeBucket] = {}
        for name, account, partition, state in self.journal.buckets():
            buckets[name] = _restored_bucket(models.s3_backends[account][partition], state)
            self._written[name] = state
        uploads: dict[str, FakeMultipart] = {}
        for upload_id, bucket_name, state in self.journal.uploads():
            if bucket_name in buckets:
                upload = _restored_upload(state)
                dict.__setitem__(buckets[bucket_name].multiparts, upload_id, upload)
                uploads[upload_id] = upload
        self._restore_objects(buckets, uploads)

    def _restore_objects(self, buckets: dict[str, FakeBucket], uploads: dict[str, FakeMultipart]) -> None:
        orphans: list[int] = []
        versions: dict[tuple[str, str], list[Any]] = {}
        for row_id, bucket_name, name, upload_id, _size, state in self.journal.objects():
            if upload_id is not None:
                if upload_id in uploads:
                    uploads[upload_id].parts[int(name)] = StoredKey.restored(row_id, state)
                else:
                    orphans.append(row_id)
            elif bucket_name not in buckets:
                orphans.append(row_id)
            else:
                below = versions.setdefault((bucket_name, name), [])
                below.append(_restored_version(row_id, bucket_name, name, state, below))
        for (bucket_name, name), found in versions.items():
            cast(StoredKeys, buckets[bucket_name].keys).restore(name, found)
        for bucket in buckets.values():
            cast(StoredKeys, bucket.keys).names.sort()
        for upload in uploads.values():
            upload.partlist = sorted(upload.parts)
        self.journal.commit([], orphans)


def _bucket_state(backend: S3Backend, bucket: FakeBucket) -> bytes:
    state = {name: value for name, value in bucket.__dict__.items() if name not in _NOT_STATE}
    return pickle.dumps((type(bucket), state, backend.tagger.get_tag_dict_for_resource(bucket.arn)))


def _restored_bucket(backend: S3Backend, state: bytes) -> FakeBucket:
    kind, attributes, tags = pickle.loads(state)  # noqa: S301 - our own file, mode 0600
    bucket: FakeBucket = object.__new__(kind)
    bucket.__dict__.update(attributes)
    bucket.keys = StoredKeys()
    bucket.multiparts = StoredUploads(bucket.name)
    backend.buckets[bucket.name] = bucket
    models.s3_backends.bucket_accounts[bucket.name] = (bucket.partition, bucket.account_id)
    if tags:
        backend.tagger.tag_resource(bucket.arn, [{"Key": name, "Value": value} for name, value in tags.items()])
    return bucket


def _restored_upload(state: bytes) -> FakeMultipart:
    upload: FakeMultipart = object.__new__(FakeMultipart)
    upload.__dict__.update(pickle.loads(state))  # noqa: S301 - our own file, mode 0600
    upload.parts, upload.partlist = {}, []
    return upload


def _restored_version(row_id: int, bucket: str, name: str, state: bytes, below: list[Any]) -> Any:
    if b"marker" in state[:40]:
        kept = pickle.loads(state)  # noqa: S301 - our own file, mode 0600
        under = below[-1] if below else None
        return StoredMarker.restored(row_id, under, bucket, name, kept["marker"], kept["at"])
    return StoredKey.restored(row_id, state)
