"""How Garmin Connect is asked: at a pace, a few times when something broke, and not at all when it says stop."""

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from include.garmin.document import SourceError, TooManyRequests

LEAVE_ALONE_S = 3600.0
"""How long a 429 without Retry-After is obeyed."""
LONGEST_LEAVE_ALONE_S = 86_400.0
LONGEST_WAIT_S = 60.0
"""A Retry-After up to this is waited for by the run itself, when the service is out of order."""
FIRST_BACKOFF_S = 2.0


class BrokenAnswer(Exception):
    """An answer that did not arrive whole; asked for again, like after a network error."""


class QuestionFailed(SourceError):
    """One question has no good answer, which says nothing about the others.

    Attributes:
        reason: what Garmin did, in a few words such as `HTTP 500`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class OutOfService(SourceError):
    """Garmin Connect as a whole does not answer for now: nothing more is asked in this run."""


class Manners:
    """Asks one thing after the other, about one a second.

    An HTTP error is known by the response that the exception carries (`error.response`, or garth's
    `error.error.response`):

    - 429: TooManyRequests, at once; the caller is to stop.
    - 5xx, a network error, a BrokenAnswer: asked again after a pause that grows and is jittered, or after Retry-After;
      after the last try QuestionFailed. OutOfService when Retry-After is longer than a run waits.
    - any other status, among them 401 and 403: the exception is passed on.

    What it raises itself never refers to the exception behind it: that one holds the request's headers.
    """

    def __init__(
        self,
        pace_s: float = 1.0,
        tries: int = 3,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._pace_s = pace_s
        self._tries = tries
        self._clock = clock
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - jitter
        self._next_at = clock()

    def ask[T](self, call: Callable[[], T], tries: int | None = None) -> T:
        """The answer of `call`, which makes one request.

        Args:
            call: makes the request.
            tries: at most so many, where it is not worth all of them.

        Raises:
            TooManyRequests: Garmin answered 429.
            QuestionFailed: no good answer after all tries.
            OutOfService: it asks for a longer pause than a run waits for.
            Exception: what `call` raised, for a status that another try does not mend.
        """
        tries = min(tries or self._tries, self._tries)
        for tried in range(1, tries + 1):
            self.wait_for_turn()
            try:
                return call()
            except Exception as error:
                response = response_of(error)
                if response is None and not _is_network(error):
                    raise
                status = None if response is None else int(response.status_code)
                if status is not None and status != 429 and status < 500:
                    raise
                asked_to_wait_s = None if response is None else retry_after_s(response)
                reason = _reason(error, status)
            # Outside of the handler, so that nothing raised here has that error as its context.
            if status == 429:
                raise TooManyRequests(LEAVE_ALONE_S if asked_to_wait_s is None else asked_to_wait_s)
            pause_s = max(FIRST_BACKOFF_S * 2 ** (tried - 1) * self._chance.uniform(0.5, 1.5), asked_to_wait_s or 0.0)
            if pause_s > LONGEST_WAIT_S:
                raise OutOfService(f"Garmin Connect is out of service ({reason}); run again after {pause_s:.0f} s")
            if tried < tries:
                self._sleep(pause_s)
        raise QuestionFailed(f"Garmin Connect gave no good answer in {tries} tries ({reason})", reason)

    def wait_for_turn(self) -> None:
        """Wait until the next request is in pace; `ask` does so itself."""
        now = self._clock()
        if now < self._next_at:
            self._sleep(self._next_at - now)
            now = self._clock()
        self._next_at = now + self._pace_s


def response_of(error: BaseException) -> Any:
    """The HTTP response that an exception of requests, curl_cffi, garminconnect or garth carries; None without one."""
    response = getattr(error, "response", None)
    if response is None:
        response = getattr(getattr(error, "error", None), "response", None)
    # curl_cffi's exceptions carry an empty response where none was received.
    return response if getattr(response, "status_code", 0) else None


def retry_after_s(response: Any) -> float | None:
    """Seconds of the Retry-After header, at most a day; None when there is none that can be read."""
    text = str(response.headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_LEAVE_ALONE_S)
    try:
        wait_s = (parsedate_to_datetime(text) - parsedate_to_datetime(response.headers.get("Date"))).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(wait_s, 0.0), LONGEST_LEAVE_ALONE_S)


def _reason(error: BaseException, status: int | None) -> str:
    if status is not None:
        return f"HTTP {status}"
    return "no whole JSON" if isinstance(error, BrokenAnswer) else type(error).__name__


def _is_network(error: BaseException) -> bool:
    # The errors of requests and curl_cffi are OSErrors; no call reads a file.
    return isinstance(error, BrokenAnswer | OSError)
