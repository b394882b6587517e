"""One response of Garmin, and the interface of everything that hands responses out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

NO_DAY = date(1970, 1, 1)
"""Last day of a document in which nothing has a date."""
ATHLETE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What an athlete may be called: the id becomes part of bucket keys and of REST paths."""

NO_DAY = date(1970, 1, 1)
"""Last day of a document in which nothing has a date that can be read: every run reads it."""


class SourceError(Exception):
    """A source that cannot be opened or read; the message says what to change."""


class UnknownAthlete(SourceError):
    """An athlete that the source does not hold."""


class LoginNeeded(SourceError):
    """Garmin no longer takes the athlete's tokens; the message names the command that stores new ones."""


class KeyNeeded(LoginNeeded):
    """The athlete has no key of Garmin's Personal API, or one that ended or was revoked; no other try mends that."""


class TooManyRequests(SourceError):
    """Garmin asked to be left alone (429): nothing more is asked of it, for any athlete, until the time is over."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Garmin Connect answered 429; no request for {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


Held = Callable[[str, date, str], bool]
"""Whether raw holds the document of a (kind, last day, name) already, so that it need not be asked for again."""


def nothing_held(_kind: str, _last_day: date, _name: str) -> bool:
    """The `Held` of an empty bucket."""
    return False


@dataclass(frozen=True)
class RawDocument:
    """One response, `body` exactly as received; `last_day` is the last local day that it covers."""

    kind: str
    last_day: date
    name: str
    body: bytes
    first_day: date | None = field(default=None, kw_only=True)
    """The first local day that it covers, where the source knows; else it is taken to be `last_day`."""
    unreadable: str | None = field(default=None, kw_only=True)
    """Why the source could not make JSON of what it read; `body` then tells what that was."""


@dataclass(frozen=True)
class StoredDocument(RawDocument):
    """A response as kept in the bucket."""

    athlete_id: str
    fetched_at: datetime
    key: str


@runtime_checkable
class WarningSource(Protocol):
    """A source that foresees what will stop it, such as the end of an athlete's key."""

    def warnings(self, athlete_id: str) -> list[str]:
        """One sentence each, for people; known once the athlete was fetched."""
        ...


class Source(Protocol):
    """Hands out the responses of its athletes.

    An account without data yields no document, or documents without rows: neither is an error.
    """

    def athletes(self) -> list[str]:
        """Ids of all athletes, sorted."""
        ...

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        """Responses that cover the local days `start` to `end` (both included; None: all the source has).

        A source that has to ask over the network does not ask for what is `held`; one that reads files may ignore it.

        Raises:
            UnknownAthlete: the source does not hold `athlete_id`.
            LoginNeeded: Garmin no longer takes the athlete's tokens.
            TooManyRequests: Garmin asked to be left alone; what was handed out before is good.
            SourceError: the data cannot be read, or `start` is after `end`.
        """
        ...
