"""Which documents made up the whole of a source when it was read: what a later reading no longer holds is gone.

A folder and an account export tell everything they know each time. After each complete reading a listing is kept in raw
beside the documents, so that the tables can be made of the last state, again and by any later run. A source that tells
a part (Garmin Connect asked for some days, a backup folder that only grows) has no listing, and so deletes nothing.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from include.garmin.document import NO_DAY, RawDocument, StoredDocument
from include.garmin.holdings import safe_name
from include.lake import LISTING_KIND


def digest_of(body: bytes) -> str:
    """The part of a document's checksum that its key in raw carries."""
    return hashlib.sha256(body).hexdigest()[:12]


@dataclass(frozen=True, order=True)
class Entry:
    """One document of a listing, by its content, and the local days that it covers."""

    kind: str
    name: str
    digest: str
    first_day: date
    last_day: date

    @staticmethod
    def from_document(document: RawDocument) -> "Entry":
        name, digest = safe_name(document.name), digest_of(document.body)
        return Entry(document.kind, name, digest, document.first_day or document.last_day, document.last_day)


@dataclass(frozen=True)
class Listing:
    """All documents of one complete reading of a source."""

    source: str
    entries: frozenset[Entry]
    former: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of documents that earlier readings held and this one does not."""

    @property
    def document(self) -> RawDocument:
        """As raw keeps it: filed under no day, so that every run reads it."""
        rows = [
            [entry.kind, entry.name, entry.digest, str(entry.first_day), str(entry.last_day)]
            for entry in sorted(self.entries)
        ]
        value = {"source": self.source, "documents": rows, "former": sorted(self.former)}
        body = json.dumps(value, separators=(",", ":")).encode()
        return RawDocument(LISTING_KIND, NO_DAY, self.source, body)

    @staticmethod
    def from_body(body: bytes) -> "Listing":
        """What `document` holds."""
        value = json.loads(body)
        rows = value["documents"]
        entries = (
            Entry(kind, name, digest, date.fromisoformat(first_day), date.fromisoformat(last_day))
            for kind, name, digest, first_day, last_day in rows
        )
        return Listing(value["source"], frozenset(entries), frozenset((kind, name) for kind, name in value["former"]))

    def after(self, earlier: "Listing | None") -> "Listing":
        """This listing, with the names that it no longer holds of an earlier one."""
        if earlier is None:
            return self
        return Listing(self.source, self.entries, (earlier.names | earlier.former) - self.names)

    @cached_property
    def names(self) -> frozenset[tuple[str, str]]:
        """Kind and name of every document."""
        return frozenset((entry.kind, entry.name) for entry in self.entries)

    @cached_property
    def contents(self) -> frozenset[tuple[str, str, str]]:
        """Kind, name and digest of every document."""
        return frozenset((entry.kind, entry.name, entry.digest) for entry in self.entries)

    @cached_property
    def days(self) -> tuple[str, str] | None:
        """First and last day that the documents together cover; None where none has a date."""
        dated = [entry for entry in self.entries if entry.last_day != NO_DAY]
        if not dated:
            return None
        return str(min(entry.first_day for entry in dated)), str(max(entry.last_day for entry in dated))

    def first_difference(self, other: "Listing | None") -> date | None:
        """The first day that a document of only one of the two covers; None where they are the same."""
        differing = self.entries ^ (other.entries if other else frozenset())
        return min((entry.first_day for entry in differing), default=None)


@dataclass
class Collected:
    """The documents of a reading, noted while they pass."""

    entries: set[Entry] = field(default_factory=set)
    is_complete: bool = False
    """Whether the reading came to its end and all of it could be read."""

    def noted(self, documents: Iterable[RawDocument]) -> Iterator[RawDocument]:
        """`documents` as they are."""
        is_readable = True
        for document in documents:
            is_readable &= document.unreadable is None
            self.entries.add(Entry.from_document(document))
            yield document
        self.is_complete = is_readable


@dataclass(frozen=True)
class Listings:
    """The newest listing of every source that raw holds of an athlete, each with the moment of its reading."""

    newest: tuple[tuple[datetime, Listing], ...] = ()

    @staticmethod
    def from_documents(documents: Iterable[StoredDocument]) -> "Listings":
        """Of all listings in raw, or of the newest ones alone."""
        found: dict[str, tuple[datetime, Listing]] = {}
        for document in sorted(documents, key=lambda each: (each.fetched_at, each.key)):
            listing = Listing.from_body(document.body)
            found[listing.source] = document.fetched_at, listing
        return Listings(tuple(found.values()))

    def replaced_days(self, kind: str, name: str, digest: str, fetched_at: datetime) -> tuple[str, str] | None:
        """The days of which a document no longer tells, as its source has been read again since; None: it still counts.

        Days outside of what the newer reading covers stay: a file that begins later than the one before it, or an older
        file put back in its place, is no word of what lies beyond it.
        """
        if any((kind, name, digest) in listing.contents for _, listing in self.newest):
            return None
        for read_at, listing in self.newest:
            if fetched_at < read_at and ((kind, name) in listing.names or (kind, name) in listing.former):
                return listing.days
        return None
