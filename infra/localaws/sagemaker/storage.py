"""S3 as the executor sees it: by URI, in-process."""

import mimetypes
from dataclasses import dataclass
from urllib.parse import urlsplit

from infra.localaws import s3
from infra.localaws.iam.guard import Guard
from infra.localaws.iam.needs import Need

_guards: list[Guard] = []


def use_guard(guard: Guard) -> None:
    """Check what is read and written here against the rights of whom this thread acts for."""
    _guards[:] = [guard]


def _require(action: str, resource: str, **context: str) -> None:
    for guard in _guards:
        guard.require(Need(action, f"arn:aws:s3:::{resource}", {f"s3:{key}": value for key, value in context.items()}))


@dataclass(frozen=True)
class S3Uri:
    """`s3://bucket/key`."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "S3Uri":
        """Raises ValueError for anything but `s3://bucket…`."""
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError(f"'{uri}' is not an S3 URI")
        return cls(parts.netloc, uri.split(parts.netloc, 1)[1].lstrip("/"))

    def child(self, name: str) -> "S3Uri":
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def has_bucket(bucket: str) -> bool:
    try:
        s3.list_keys(bucket, "/")
    except KeyError:
        return False
    return True


def exists(uri: S3Uri) -> bool:
    """Whether an object of exactly this key exists."""
    return uri.key in _keys(uri)


def keys_under(uri: S3Uri) -> list[str]:
    """Keys that begin with the URI's key (an S3Prefix is a string prefix), sorted; none where the bucket is missing."""
    _require("s3:ListBucket", uri.bucket, prefix=uri.key)
    return _keys(uri)


def _keys(uri: S3Uri) -> list[str]:
    try:
        return s3.list_keys(uri.bucket, uri.key)
    except KeyError:
        return []


def read(uri: S3Uri) -> bytes:
    """Raises KeyError where the object does not exist."""
    _require("s3:GetObject", f"{uri.bucket}/{uri.key}")
    return s3.get_bytes(uri.bucket, uri.key)


def write(uri: S3Uri, body: bytes) -> None:
    """Store an object, with the content type that its name tells: a browser shows a report, it does not download it.

    Raises KeyError where the bucket does not exist.
    """
    _require("s3:PutObject", f"{uri.bucket}/{uri.key}")
    content_type, encoding = mimetypes.guess_type(uri.key)
    s3.put_bytes(uri.bucket, uri.key, body, "binary/octet-stream" if encoding or not content_type else content_type)
