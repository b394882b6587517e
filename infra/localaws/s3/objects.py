"""moto's S3 objects, with their bodies on disk and every change noted for the journal.

moto's own classes stay the authority in memory; these subclasses replace them, so that every path of moto that makes,
replaces or deletes an object is kept too.
"""

import hashlib
import pickle
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import Any, BinaryIO, cast

from moto.s3 import models
from moto.s3.models import FakeAcl, FakeBucket, FakeDeleteMarker, FakeKey, FakeMultipart, MultipartDict
from moto.s3.utils import _VersionedKeyStore
from moto.utilities.utils import LowercaseDict

from infra.localaws.s3.journal import INLINE_MAX_BYTES, Journal, ObjectRow

PRIVATE = "private"
_canned_acl: Callable[[str], FakeAcl | None] = cache(models.get_canned_acl)
"""Canned ACLs are never changed in place, so all objects may share them."""

_TRANSITIONS: list[tuple[str | None, str]] = [(None, "IN_PROGRESS"), ("IN_PROGRESS", "RESTORED")]
_NOT_STATE = {"lock", "_transitions", "_tick", "_time_progressed", "held", "row_id", "written", "_max_buffer_size"}


@dataclass(frozen=True)
class WrittenBody:
    """A large body that was written to the file of `row_id` while it arrived."""

    row_id: int
    size: int
    md5: str

    def __len__(self) -> int:
        return self.size


class Changes:
    """Objects that differ from their rows in the journal, and rows to delete."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.before_flush: Callable[[Iterable[str]], None] = lambda _buckets: None
        """Told which buckets rows are about to be written for: a stack may have made them outside of any request."""
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._dirty: dict[int, tuple[StoredKey | StoredMarker, str | None]] = {}
        self._removed: set[int] = set()

    def added(self, item: "StoredKey | StoredMarker", upload: str | None = None) -> None:
        with self._lock:
            self._dirty[item.row_id] = (item, upload)

    def removed(self, item: "StoredKey | StoredMarker") -> None:
        with self._lock:
            self._dirty.pop(item.row_id, None)
            self._removed.add(item.row_id)

    def touch(self, items: Iterable["StoredKey | StoredMarker"]) -> None:
        """Write these again where they changed in place (tags, ACL, retention)."""
        for item in items:
            if item.state() != item.written:
                self.added(item)

    def flush(self) -> None:
        """Make every noted change durable."""
        with self._flushing:
            with self._lock:
                if not self._dirty and not self._removed:
                    return
                dirty, removed = self._dirty, self._removed
                self._dirty, self._removed = {}, set()
            try:
                rows = [item.row(upload) for item, upload in dirty.values()]
                self.before_flush({row.bucket for row in rows})
                self.journal.commit(rows, removed)
            except BaseException:
                with self._lock:
                    self._dirty = dirty | self._dirty
                    self._removed |= removed
                raise
            for (item, _), row in zip(dirty.values(), rows, strict=True):
                item.was_written(row)


_changes: Changes | None = None


def changes() -> Changes:
    """The changes of this server.

    Raises:
        AssertionError: before `use_journal`.
    """
    assert _changes is not None
    return _changes


class StoredKey(FakeKey):
    """An object version whose body is in memory only until it is in the journal."""

    row_id: int
    held: bytes | None
    written: bytes | None = None

    def __new__(cls, *_args: Any, **_kwargs: Any) -> "StoredKey":
        return object.__new__(cls)  # moto's own would keep every object alive for ever

    def __init__(self, name: str, value: bytes | WrittenBody, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, cast(bytes, value), *args, **kwargs)
        self._transitions = _TRANSITIONS

    @property
    def value(self) -> bytes:
        """The body, read anew each time.

        Raises:
            FileNotFoundError: where the object was deleted a moment ago.
        """
        held = self.held
        if held is not None:
            return held
        if self.contentsize > INLINE_MAX_BYTES:
            return changes().journal.path(self.row_id).read_bytes()
        return changes().journal.read(self.row_id)

    @value.setter
    def value(self, new_value: bytes | WrittenBody) -> None:
        self.contentsize = len(new_value)
        self.held = None
        if isinstance(new_value, WrittenBody):
            self.row_id = new_value.row_id
            self._etag = self._etag or new_value.md5
            return
        self.row_id = changes().journal.new_id()
        self._etag = self._etag or hashlib.md5(new_value, usedforsecurity=False).hexdigest()
        if len(new_value) > INLINE_MAX_BYTES:
            changes().journal.path(self.row_id).write_bytes(new_value)
        else:
            self.held = bytes(new_value)

    @property
    def _value_buffer(self) -> Any:
        return self.open()

    @_value_buffer.setter
    def _value_buffer(self, _buffer: Any) -> None:
        """moto's temporary file is not used."""

    def open(self) -> BinaryIO:
        """The body as a file."""
        if self.contentsize > INLINE_MAX_BYTES:
            return changes().journal.path(self.row_id).open("rb")
        return BytesIO(self.value)

    @property
    def etag(self) -> str:
        return f'"{self._etag}"'

    def dispose(self, garbage: bool = False) -> None:
        """moto's word that this version was replaced or deleted."""
        if not garbage and not self.disposed:
            self.disposed = True
            changes().removed(self)

    def __del__(self) -> None:
        """Nothing: the body belongs to the journal."""

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("lock", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()

    def state(self) -> bytes:
        """What the journal keeps beside name and body."""
        kept = {
            name: value
            for name, value in self.__dict__.items()
            if name not in _NOT_STATE and (name not in _DEFAULTS or _DEFAULTS[name] != value)
        }
        kept["_metadata"] = dict(self._metadata.items())
        if kept.get("acl") is _canned_acl(PRIVATE):
            del kept["acl"]
        kept["tags"] = _tagger(self).get_tag_dict_for_resource(self.arn)
        return pickle.dumps(kept)

    def row(self, upload: str | None) -> ObjectRow:
        return ObjectRow(
            self.row_id, self.bucket_name or "", str(self.name), upload, self.contentsize, self.state(), self.held
        )

    def was_written(self, row: ObjectRow) -> None:
        self.written = row.state
        if self.contentsize <= INLINE_MAX_BYTES:
            self.held = None

    @classmethod
    def restored(cls, row_id: int, state: bytes) -> "StoredKey":
        """The object of a journal row; its tags are given back to moto."""
        kept = pickle.loads(state)  # noqa: S301 - our own file, mode 0600
        tags = kept.pop("tags")
        key = object.__new__(cls)
        key.__dict__.update(_DEFAULTS)
        key.__dict__.update(kept)
        key.__dict__.update(row_id=row_id, held=None, written=state, lock=threading.Lock(), _tick=0)
        key.__dict__.update(_transitions=_TRANSITIONS, _time_progressed=key.last_modified)
        key.acl = kept.get("acl", _canned_acl(PRIVATE))
        metadata = LowercaseDict()
        metadata.update(kept["_metadata"])
        key._metadata = metadata
        if tags:
            _tagger(key).tag_resource(key.arn, [{"Key": name, "Value": value} for name, value in tags.items()])
        return key


_DEFAULTS: dict[str, Any] = {
    "_status": None,
    "model_name": "s3::keyrestore",
    "website_redirect_location": None,
    "checksum_algorithm": None,
    "_storage_class": "STANDARD",
    "_expiry": None,
    "multipart": None,
    "disposed": False,
    "encryption": None,
    "kms_key_id": None,
    "bucket_key_enabled": None,
    "lock_mode": None,
    "lock_legal_status": None,
    "lock_until": None,
    "checksum_value": None,
    "checksum_type": None,
    "checksum_parts": None,
    "account_id": "123456789012",
    "region_name": "aws",
    "partition": "aws",
}


def _tagger(key: FakeKey) -> Any:
    return models.s3_backends[key.account_id][key.partition].tagger


class StoredMarker(FakeDeleteMarker):
    """A delete marker that the journal keeps."""

    written: bytes | None = None

    def __new__(cls, *_args: Any, **_kwargs: Any) -> "StoredMarker":
        return object.__new__(cls)

    def __init__(self, key: Any) -> None:
        super().__init__(key=key)
        self.bucket_name = key.bucket_name
        self.row_id = changes().journal.new_id()

    def dispose(self) -> None:
        changes().removed(self)

    def state(self) -> bytes:
        return pickle.dumps({"marker": self._version_id, "at": self.last_modified})

    def row(self, upload: str | None) -> ObjectRow:
        return ObjectRow(self.row_id, self.bucket_name, self.name, upload, 0, self.state(), b"")

    def was_written(self, row: ObjectRow) -> None:
        self.written = row.state

    @classmethod
    def restored(cls, row_id: int, below: Any, bucket: str, name: str, version_id: str, at: datetime) -> "StoredMarker":
        marker = object.__new__(cls)
        marker.__dict__.update(key=below, name=name, last_modified=at, _version_id=version_id)
        marker.__dict__.update(row_id=row_id, bucket_name=bucket)
        marker.written = marker.state()
        return marker


class StoredKeys(_VersionedKeyStore):
    """The keys of a bucket: name -> versions, oldest first; `names` is sorted."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __setitem__(self, key: str, value: Any) -> None:
        self.setlist(key, [*self.getlist(key, []), value])

    def setlist(self, key: str, list_: Any) -> None:
        versions = list(list_) if isinstance(list_, (list, tuple)) else [list_]
        before = self.getlist(key)
        if before is None:
            insort(self.names, key)
        keep = {id(version) for version in versions}
        had = {id(version) for version in before or ()}
        dict.__setitem__(self, key, versions)
        for version in before or ():
            if id(version) not in keep:
                version.dispose()
        for version in versions:
            if id(version) not in had:
                changes().added(version)

    def restore(self, key: str, versions: list[Any]) -> None:
        """Take over what the journal holds; the caller sorts `names` afterwards."""
        dict.__setitem__(self, key, versions)
        self.names.append(key)

    def pop(self, key: str) -> None:  # type: ignore[override]
        versions = self.getlist(key)
        if versions is None:
            raise KeyError(key)
        dict.pop(self, key)
        at = bisect_left(self.names, key)
        if at < len(self.names) and self.names[at] == key:
            del self.names[at]
        for version in versions:
            version.dispose()


class StoredUploads(MultipartDict):
    """Multipart uploads under way."""

    def __init__(self, bucket_name: str) -> None:
        super().__init__()
        self.bucket_name = bucket_name

    def __setitem__(self, upload_id: str, upload: FakeMultipart) -> None:
        super().__setitem__(upload_id, upload)
        state = {name: value for name, value in upload.__dict__.items() if name not in ("parts", "partlist")}
        changes().journal.put_upload(upload_id, self.bucket_name, pickle.dumps(state))

    def __delitem__(self, upload_id: str) -> None:
        super().__delitem__(upload_id)
        changes().journal.delete_upload(upload_id)


def _init_bucket(self: FakeBucket, *args: Any, **kwargs: Any) -> None:
    _moto_init_bucket(self, *args, **kwargs)
    self.keys = StoredKeys()
    self.multiparts = StoredUploads(self.name)


def _set_part(self: FakeMultipart, part_id: int, value: bytes | WrittenBody) -> FakeKey:
    part = _moto_set_part(self, part_id, cast(bytes, value))
    changes().added(cast(StoredKey, part), upload=self.id)
    return part


_moto_init_bucket = FakeBucket.__init__
_moto_set_part = FakeMultipart.set_part


def use_journal(journal: Journal) -> None:
    """Replace moto's classes; to be called once, before any bucket is made."""
    global _changes  # noqa: PLW0603 - moto's backends are global too
    _changes = Changes(journal)
    models.FakeKey = StoredKey  # type: ignore[misc]
    models.FakeDeleteMarker = StoredMarker  # type: ignore[misc]
    models.get_canned_acl = cast(Any, _canned_acl)
    FakeBucket.__init__ = _init_bucket  # type: ignore[method-assign]
    FakeMultipart.set_part = _set_part  # type: ignore[method-assign]
