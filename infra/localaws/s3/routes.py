"""The hot requests of S3, served ahead of moto on moto's own objects: put, get, head, lists, upload of a part.

Only plain, signed, path-style requests come here; whatever else there is (copies, tags, ACLs, locks, presigned URLs,
bucket settings) moto answers.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, unquote

from moto.iam.access_control import PermissionResult
from moto.s3 import models
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES, STORAGE_CLASS, metadata_from_headers

from infra.localaws.s3 import conditions, listing, versions
from infra.localaws.s3.errors import S3Error, no_such_bucket, no_such_key, no_such_version
from infra.localaws.s3.objects import StoredKey, StoredMarker, changes
from infra.localaws.s3.upload import CHECKSUMS, PIECE_BYTES, Received, receive
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse

Headers = list[tuple[str, str]]
Handler = Callable[["Call"], tuple[int, Headers, Iterable[bytes]]]

KEY_MAX_BYTES = 1024
_LIST = {
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "continuation-token",
    "start-after",
    "encoding-type",
    "fetch-owner",
}
_LIST_VERSIONS = {
    "versions",
    "prefix",
    "delimiter",
    "max-keys",
    "key-marker",
    "version-id-marker",
    "encoding-type",
}
_GET = {
    "versionId",
    "response-content-type",
    "response-content-language",
    "response-expires",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
}
_PUT_LEFT_TO_MOTO = (
    "HTTP_X_AMZ_COPY_SOURCE",
    "HTTP_X_AMZ_ACL",
    "HTTP_X_AMZ_GRANT_READ",
    "HTTP_X_AMZ_GRANT_WRITE",
    "HTTP_X_AMZ_GRANT_FULL_CONTROL",
    "HTTP_X_AMZ_GRANT_READ_ACP",
    "HTTP_X_AMZ_GRANT_WRITE_ACP",
    "HTTP_X_AMZ_TAGGING",
    "HTTP_X_AMZ_OBJECT_LOCK_MODE",
    "HTTP_X_AMZ_OBJECT_LOCK_RETAIN_UNTIL_DATE",
    "HTTP_X_AMZ_OBJECT_LOCK_LEGAL_HOLD",
    "HTTP_X_AMZ_WEBSITE_REDIRECT_LOCATION",
    "HTTP_ORIGIN",
    "moto.preserved_header_names",
)
_publishing = threading.Lock()
"""Between the check of a conditional PUT and its effect no other PUT may slip in."""


class Call:
    """One request, taken apart."""

    def __init__(self, environ: Environ, bucket: str, key: str, query: dict[str, str]) -> None:
        self.environ = environ
        self.bucket_name = bucket
        self.key = key
        self.query = query

    @property
    def backend(self) -> S3Backend:
        return models.s3_backends[ACCOUNT_ID]["aws"]

    def bucket(self, action: str) -> FakeBucket:
        """The bucket, where its policy lets `action` pass.

        Raises:
            S3Error: NoSuchBucket, AccessDenied.
        """
        bucket = self.backend.buckets.get(self.bucket_name)
        if bucket is None:
            raise no_such_bucket(self.bucket_name)
        if bucket.policy is not None:
            resource = f"arn:aws:s3:::{self.bucket_name}/{self.key}".rstrip("/")
            if bucket.get_permission(f"s3:{action}", resource) == PermissionResult.DENIED:
                raise S3Error(403, "AccessDenied", "Access Denied")
        return bucket


def wanted(environ: Environ) -> bool:
    """Whether a request is one of ours; its handler is left in the environ."""
    if "/s3/aws4_request" not in environ.get("HTTP_AUTHORIZATION", "") or not _is_path_style(environ):
        return False
    path = environ["RAW_URI"].partition("?")[0]
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return False
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    query.pop("x-id", None)
    handler = _handler(environ, bool(key), query.keys())
    if handler is None:
        return False
    environ["localaws.s3"] = (handler, Call(environ, unquote(bucket), unquote(key), query))
    return True


def _handler(environ: Environ, has_key: bool, query: Iterable[str]) -> Handler | None:
    method, asked = environ["REQUEST_METHOD"], set(query)
    if not has_key:
        return _bucket_handler(method, asked)
    if method in ("GET", "HEAD") and asked <= _GET and "HTTP_ORIGIN" not in environ:
        return get_object
    if method == "PUT" and not any(name in environ for name in _PUT_LEFT_TO_MOTO):
        if not asked:
            return _put
        if asked == {"uploadId", "partNumber"}:
            return _upload_part
    return None


def _bucket_handler(method: str, asked: set[str]) -> Handler | None:
    if method == "GET" and "list-type" in asked and asked <= _LIST:
        return _list
    if method == "GET" and "versions" in asked and asked <= _LIST_VERSIONS:
        return _list_versions
    return None


def _is_path_style(environ: Environ) -> bool:
    """Whether the bucket stands in the path: behind an address, and behind a name of one word."""
    given: str = environ.get("HTTP_HOST", "")
    host = given.rpartition(":")[0] or given
    return host.startswith("[") or "." not in host or host.replace(".", "").isdigit()


def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that `wanted` took."""
    handler, call = environ["localaws.s3"]
    try:
        status, headers, body = handler(call)
    except S3Error as error:
        status, headers, body = error.status, [("Content-Type", "application/xml"), *error.headers], [error.xml()]
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("x-amz-request-id", "local")])
    return cast(Iterable[bytes], body)


def _list(call: Call) -> tuple[int, Headers, Iterable[bytes]]:
    bucket = call.bucket("ListBucket")
    return 200, [("Content-Type", "application/xml")], [listing.answer(bucket, call.query)]


def _list_versions(call: Call) -> tuple[int, Headers, Iterable[bytes]]:
    bucket = call.bucket("ListBucketVersions")
    return 200, [("Content-Type", "application/xml")], [versions.answer(bucket, call.query)]


def _put(call: Call) -> tuple[int, Headers, Iterable[bytes]]:
    bucket = call.bucket("PutObject")
    _check_key(call.key)
    if bucket.object_lock_enabled:
        raise S3Error(400, "NotImplemented", "local AWS does not do s3:PutObject into a bucket with Object Lock")
    received = receive(call.environ, changes().journal)
    with _publishing:
        conditions.check_put(call.environ, _current_etag(bucket, call.key))
        key = _publish(call, bucket, received)
    changes().added(key)
    changes().flush()
    headers = _checksum_headers(received.checksums) + _version_and_encryption(key)
    return 200, [("ETag", key.etag), *headers], []


def _check_key(key: str) -> None:
    size = len(key.encode("utf-8", "surrogateescape"))
    if size > KEY_MAX_BYTES:
        details = {"Size": str(size), "MaxSizeAllowed": str(KEY_MAX_BYTES)}
        raise S3Error(400, "KeyTooLongError", "Your key is too long", details)


def _current_etag(bucket: FakeBucket, key: str) -> str | None:
    current = bucket.keys.get(key)
    return current.etag if isinstance(current, StoredKey) else None


def _publish(call: Call, bucket: FakeBucket, received: Received) -> StoredKey:
    environ = call.environ
    storage = environ.get("HTTP_X_AMZ_STORAGE_CLASS", "STANDARD")
    if storage not in STORAGE_CLASS:
        raise S3Error(400, "InvalidStorageClass", "The storage class you specified is not valid")
    encryption = environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION")
    key: StoredKey = call.backend.put_object(  # type: ignore[assignment]
        bucket.name,
        call.key,
        received.body,  # type: ignore[arg-type]
        storage=storage,
        etag=received.md5,
        encryption=encryption,
        kms_key_id=environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID"),
        bucket_key_enabled=environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_BUCKET_KEY_ENABLED"),
    )
    key.set_metadata(metadata_from_headers(_header_names(environ)))
    key.set_acl(bucket.acl)
    for algorithm, value in received.checksums.items():
        key.checksum_algorithm, key.checksum_value, key.checksum_type = algorithm.upper(), value, "FULL_OBJECT"
    return key


def _header_names(environ: Environ) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").title(): environ[name] for name in environ if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers


def _upload_part(call: Call) -> tuple[int, Headers, Iterable[bytes]]:
    bucket = call.bucket("PutObject")
    number = call.query["partNumber"]
    if not number.isdigit() or not 1 <= int(number) <= 10_000:
        message = "Part number must be an integer between 1 and 10000, inclusive"
        raise S3Error(400, "InvalidArgument", message, {"ArgumentName": "partNumber"})
    upload = bucket.multiparts.get(call.query["uploadId"])
    if upload is None:
        raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.", {"UploadId": call.query["uploadId"]})
    received = receive(call.environ, changes().journal)
    part = upload.set_part(int(number), received.body)  # type: ignore[arg-type]
    changes().flush()
    return 200, [("ETag", part.etag), *_checksum_headers(received.checksums)], []


def get_object(call: Call) -> tuple[int, Headers, Iterable[bytes]]:
    """GetObject and HeadObject: status, headers and body."""
    bucket = call.bucket("GetObject")
    for _ in range(8):  # the object may be replaced between look-up and reading
        key = _find(bucket, call.key, call.query.get("versionId"))
        if key.storage_class != "STANDARD" and key.storage_class in ARCHIVE_STORAGE_CLASSES:
            raise S3Error(403, "InvalidObjectState", "The operation is not valid for the object's storage class")
        try:
            return _answer_get(call, key)
        except FileNotFoundError:
            continue
    raise no_such_key(call.key)


def _find(bucket: FakeBucket, name: str, version_id: str | None) -> StoredKey:
    if version_id is None:
        key = bucket.keys.get(name)
        if isinstance(key, StoredMarker):
            raise no_such_key(name, [("x-amz-delete-marker", "true"), ("x-amz-version-id", key.version_id)])
        if key is None:
            raise no_such_key(name)
        return key  # type: ignore[no-any-return]
    for version in bucket.keys.getlist(name, []):
        if version.version_id == version_id:
            if isinstance(version, StoredMarker):
                message = "The specified method is not allowed against this resource."
                raise S3Error(
                    405, "MethodNotAllowed", message, None, [("x-amz-delete-marker", "true"), ("Allow", "DELETE")]
                )
            return version  # type: ignore[no-any-return]
    raise no_such_version(name, version_id)


def _answer_get(call: Call, key: StoredKey) -> tuple[int, Headers, Iterable[bytes]]:
    environ, is_head = call.environ, call.environ["REQUEST_METHOD"] == "HEAD"
    headers: Headers = [("ETag", key.etag), ("Last-Modified", key.last_modified_RFC1123), ("Accept-Ranges", "bytes")]
    headers += _version_and_encryption(key)
    if conditions.is_unmodified(environ, key.etag, key.last_modified):
        return 304, headers, []
    headers += _described(call, key)
    span = conditions.byte_range(environ.get("HTTP_RANGE"), key.size)
    if span is None and environ.get("HTTP_X_AMZ_CHECKSUM_MODE", "").upper() == "ENABLED" and key.checksum_algorithm:
        suffix = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
        headers.append((f"x-amz-checksum-{key.checksum_algorithm.lower()}", f"{key.checksum_value}{suffix}"))
        headers.append(("x-amz-checksum-type", key.checksum_type or "FULL_OBJECT"))
    first, last = span or (0, key.size - 1)
    headers.append(("Content-Length", str(last - first + 1)))
    if span:
        headers.append(("Content-Range", f"bytes {first}-{last}/{key.size}"))
    body: Iterable[bytes] = [] if is_head else _pieces(key, first, last)
    return 206 if span else 200, headers, body


def _described(call: Call, key: StoredKey) -> Headers:
    """Metadata, tags' count, storage class and expiry, with the request's `response-…` overrides."""
    fields = {name.lower(): value for name, value in key.metadata.items()}
    for name, value in key.response_dict.items():
        if name.lower() in ("x-amz-storage-class", "x-amz-restore", "x-amz-tagging-count") or "object-lock" in name:
            fields[name.lower()] = str(value)
    if key.website_redirect_location:
        fields["x-amz-website-redirect-location"] = key.website_redirect_location
    for name, value in call.query.items():
        if name.startswith("response-"):
            fields[name.removeprefix("response-")] = value
    return list(fields.items())


def _pieces(key: StoredKey, first: int, last: int) -> Iterable[bytes]:
    if key.size <= PIECE_BYTES:
        return [key.value[first : last + 1]]
    return _FilePieces(key.open(), first, last - first + 1)


class _FilePieces:
    """A span of a file, piece by piece; closed with the answer."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        self._file = file
        self._left = length
        file.seek(first)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (piece := self._file.read(min(PIECE_BYTES, self._left))):
            self._left -= len(piece)
            yield piece

    def close(self) -> None:
        self._file.close()


def _version_and_encryption(key: StoredKey) -> Headers:
    headers: Headers = []
    if key.version_id != "null":
        headers.append(("x-amz-version-id", key.version_id))
    if key.encryption:
        headers.append(("x-amz-server-side-encryption", key.encryption))
        if key.encryption == "aws:kms" and key.kms_key_id:
            headers.append(("x-amz-server-side-encryption-aws-kms-key-id", key.kms_key_id))
        if key.encryption == "aws:kms" and key.bucket_key_enabled is not None:
            enabled = str(key.bucket_key_enabled).lower()
            headers.append(("x-amz-server-side-encryption-bucket-key-enabled", enabled))
    return headers


def _checksum_headers(checksums: dict[str, Any]) -> Headers:
    headers = [(f"x-amz-checksum-{name}", value) for name, value in checksums.items() if name in CHECKSUMS]
    return [*headers, ("x-amz-checksum-type", "FULL_OBJECT")] if headers else []
