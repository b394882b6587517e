"""What the fake is told to do wrong, and how often."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `announced` is a Content-Length that the body does not keep to."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    delay_s: float = 0.0


@dataclass
class Fault:
    """Answers `times` requests whose `host/path` matches `where`, after letting `after` of them pass.

    Without an `answer` of its own, the true one; `delay_s` late.
    """

    where: str
    answer: Answer | None
    times: int = 1
    after: int = 0
    delay_s: float = 0.0

    @staticmethod
    def status(where: str, status: int, times: int = 1, after: int = 0, **headers: str) -> "Fault":
        """`Retry_After="7"` is the header Retry-After."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Fault(where, Answer(status, b'{"message": "no"}', named), times, after)

    @staticmethod
    def body(where: str, body: bytes, times: int = 1, after: int = 0) -> "Fault":
        return Fault(where, Answer(200, body), times, after)

    @staticmethod
    def truncated(where: str, times: int = 1, after: int = 0) -> "Fault":
        return Fault(where, Answer(200, b'[{"activityId": 1, ', announced=4096), times, after)

    @staticmethod
    def slow(where: str, delay_s: float, times: int = 1) -> "Fault":
        return Fault(where, None, times, delay_s=delay_s)

    def takes(self, place: str) -> bool:
        """Whether this request is the fault's; counts."""
        if self.times <= 0 or not re.search(self.where, place):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True
