"""An object in S3 as a seekable file: ranged reads of one version, a few MiB ahead."""

import io
from collections.abc import Buffer
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from include.garmin.document import SourceError
from include.garmin.export.measured import MIB

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_AHEAD_BYTES = 2 * MIB
TRIES = 3


class S3File(io.RawIOBase):
    """The object as it was when opened; read it through `open_s3`, which reads ahead."""

    def __init__(self, s3: "S3Client", bucket: str, key: str) -> None:
        """Raises SourceError when there is no such object, or no leave to read it."""
        super().__init__()
        self._s3, self._bucket, self._key = s3, bucket, key
        self._label = f"s3://{bucket}/{key}"
        try:
            head = s3.head_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise SourceError(f"{self._label}: cannot be read: {error}") from error
        self._size, self._etag = head["ContentLength"], head["ETag"]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"seek to {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, into: Buffer, /) -> int:
        """Raises SourceError when the object cannot be read, or was replaced since it was opened."""
        view = memoryview(into).cast("B")
        size = min(len(view), self._size - self._at)
        if size <= 0:
            return 0
        view[:size] = self._range(self._at, size)
        self._at += size
        return size

    def _range(self, start: int, size: int) -> bytes:
        for left in range(TRIES - 1, -1, -1):
            try:
                answer = self._s3.get_object(
                    Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{start + size - 1}", IfMatch=self._etag
                )
                body = answer["Body"].read()
            except (BotoCoreError, ClientError, OSError) as error:
                # A body that breaks off is not tried again by botocore; a refusal (ClientError) was.
                if left == 0 or isinstance(error, ClientError):
                    raise SourceError(f"{self._label}: cannot be read, or changed meanwhile: {error}") from error
                continue
            if len(body) == size:
                return body
        raise SourceError(f"{self._label}: {size} bytes asked for, {len(body)} came")


def open_s3(s3: "S3Client", bucket: str, key: str) -> io.BufferedReader:
    """The object as a file. Raises as S3File."""
    return io.BufferedReader(S3File(s3, bucket, key), READ_AHEAD_BYTES)


def zip_keys(s3: "S3Client", bucket: str, prefix: str) -> list[str]:
    """Keys of the zips directly under `prefix`. Raises SourceError when they cannot be listed."""
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except (BotoCoreError, ClientError) as error:
        raise SourceError(f"s3://{bucket}/{prefix}: cannot be listed: {error}") from error
    return [key for key in keys if key.lower().endswith(".zip")]
