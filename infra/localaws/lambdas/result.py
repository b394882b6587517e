"""What an invocation answers, and Lambda's errors about invoking."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InvokeResult:
    """The answer of one invocation. `function_error` is "Unhandled" where the function failed, else None."""

    status_code: int
    payload: bytes
    function_error: str | None = None
    log_tail: str = ""
    """The last 4 KB of the log, plain text."""
    version: str = "$LATEST"


class InvokeError(Exception):
    """Lambda did not take the invocation: AWS's error code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    @property
    def retryable(self) -> bool:
        return self.status >= 500 or self.status == 429


def not_found(arn: str) -> InvokeError:
    return InvokeError("ResourceNotFoundException", f"Function not found: {arn}", 404)


def throttled() -> InvokeError:
    return InvokeError("TooManyRequestsException", "Rate Exceeded.", 429)
