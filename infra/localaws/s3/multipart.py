"""CompleteMultipartUpload without the whole object in memory."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML, NoSuchUpload
from moto.s3.models import FakeKey, FakeMultipart, S3Backend

from infra.localaws.s3.journal import INLINE_MAX_BYTES
from infra.localaws.s3.objects import WrittenBody, changes
from infra.localaws.s3.upload import _DIGESTS, PIECE_BYTES

PART_MIN_BYTES = 5 * 1024 * 1024
"""Every part but the last is at least this large, as in AWS."""


def complete_multipart_upload(
    self: S3Backend, bucket_name: str, multipart_id: str, body: Iterator[tuple[int, str]]
) -> FakeKey:
    """Stands in for `S3Backend.complete_multipart_upload`."""
    bucket = self.get_bucket(bucket_name)
    upload = bucket.multiparts.get(multipart_id)
    if upload is None:
        raise NoSuchUpload(upload_id=multipart_id)
    parts = _chosen_parts(upload, body)
    md5s = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    key = self.put_object(
        bucket_name,
        upload.key_name,
        _joined(parts, etag),  # type: ignore[arg-type]
        storage=upload.storage,
        etag=etag,
        encryption=upload.sse_encryption,
        kms_key_id=upload.kms_key_id,
        request_method="POST",
    )
    key.set_metadata(upload.metadata)
    key.set_acl(upload.acl or bucket.acl)
    _set_checksum(key, upload, parts)
    self.put_object_tagging(key, upload.tags)
    changes().added(key)  # type: ignore[arg-type]
    changes().flush()
    del bucket.multiparts[multipart_id]
    return key


def _chosen_parts(upload: FakeMultipart, body: Iterator[tuple[int, str]]) -> list[Any]:
    parts: list[Any] = []
    for number, etag in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != etag.strip('"'):
            raise InvalidPart()
        if parts and parts[-1].size < PART_MIN_BYTES:
            raise EntityTooSmall()
        parts.append(part)
    if not parts:
        raise MalformedXML()
    return parts


def _joined(parts: list[Any], etag: str) -> bytes | WrittenBody:
    size = sum(part.size for part in parts)
    if size <= INLINE_MAX_BYTES:
        return b"".join(part.value for part in parts)
    journal = changes().journal
    row_id = journal.new_id()
    with journal.path(row_id).open("wb") as whole:
        for part in parts:
            with part.open() as source:
                while piece := source.read(PIECE_BYTES):
                    whole.write(piece)
    return WrittenBody(row_id, size, etag)


def _set_checksum(key: FakeKey, upload: FakeMultipart, parts: list[Any]) -> None:
    algorithm = upload.metadata.get("x-amz-checksum-algorithm")
    make = _DIGESTS.get((algorithm or "").lower())
    if make is None:
        return
    composite = upload.metadata.get("x-amz-checksum-type") != "FULL_OBJECT"
    whole = make()
    for part in parts:
        own = make()
        with part.open() as source:
            while piece := source.read(PIECE_BYTES):
                (own if composite else whole).update(piece)
        if composite:
            whole.update(own.digest())
    key.checksum_algorithm = algorithm
    key.checksum_type = "COMPOSITE" if composite else "FULL_OBJECT"
    key.checksum_value = base64.b64encode(whole.digest()).decode()
    key.checksum_parts = len(parts) if composite else None
