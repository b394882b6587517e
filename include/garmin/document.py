"""One response of Garmin, and the interface of everything that hands responses out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

ATHLETE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What an athlete may be called: the id becomes part of bucket keys and of REST paths."""


class SourceError(Exception):
    """A source that cannot be opened or read; the message says what to change."""


class UnknownAthlete(SourceError):
    """An athlete that the source does not hold."""


@dataclass(frozen=True)
class RawDocument:
    """One response, `body` exactly as received; `last_day` is the last local day that it covers."""

    kind: str
    last_day: date
    name: str
    body: bytes


@dataclass(frozen=True)
class StoredDocument(RawDocument):
    """A response as kept in the bucket."""

    athlete_id: str
    fetched_at: datetime
    key: str


class Source(Protocol):
    """Hands out the responses of its athletes.

    An account without data yields no document, or documents without rows: neither is an error.
    """

    def athletes(self) -> list[str]:
        """Ids of all athletes, sorted."""
        ...

    def fetch(self, athlete_id: str, start: date | None, end: date | None) -> Iterator[RawDocument]:
        """Responses that cover the local days `start` to `end` (both included; None: all the source has).

        Raises:
            UnknownAthlete: the source does not hold `athlete_id`.
            SourceError: the data cannot be read, or `start` is after `end`.
        """
        ...
