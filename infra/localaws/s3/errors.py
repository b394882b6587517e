"""S3's errors and their XML."""

from xml.sax.saxutils import escape


class S3Error(Exception):
    """An error that S3 itself would answer.

    Args:
        status: HTTP status.
        code: S3's error code, e.g. `NoSuchKey`.
        details: further elements of the answer, e.g. `{"Key": "a.json"}`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: dict[str, str] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or {}
        self.headers = headers or []

    def xml(self) -> bytes:
        fields = {"Code": self.code, "Message": self.message, **self.details, "RequestId": "local"}
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def no_such_key(key: str, headers: list[tuple[str, str]] | None = None) -> S3Error:
    return S3Error(404, "NoSuchKey", "The specified key does not exist.", {"Key": key}, headers)


def no_such_bucket(bucket: str) -> S3Error:
    return S3Error(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": bucket})


def no_such_version(key: str, version_id: str) -> S3Error:
    details = {"Key": key, "VersionId": version_id}
    return S3Error(404, "NoSuchVersion", "The specified version does not exist.", details)


def precondition_failed(condition: str) -> S3Error:
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error(412, "PreconditionFailed", message, {"Condition": condition})
