"""Items into documents: one for each family and period, so that memory is flat and a document is small.

The rule, which makes the same document of the same items whatever member they came in:

1. An item belongs to the period of its local day, or to `undated`. A period is a calendar quarter (`2024q2`) for
   activities, which are large, and a calendar year (`2024`) for what there is one small item of a day. Members of a
   family are read one after another in the order of their names, as if they were one; the bounds between them are
   not seen.
2. A period is gathered until all members are read. When those gathered hold more than MAX_GATHERED_BYTES, the one
   that was longest without a new item is handed out, and one that reaches MAX_PIECE_BYTES is handed out at once.
   Garmin writes newest first or oldest first, so a period handed out for want of room is complete.
3. A period that is met again all the same gets another document: `activities-2024q2`, then `activities-2024q2-2`.
4. Within a document items are sorted by day; those of one day stay in the order received. The text of each item is
   byte for byte what Garmin wrote; the list around them, and its envelope, is ours.
5. The document's last day is its newest item's, and it covers the days from its oldest item to its newest.

A newer export of the same athlete therefore gives the same bytes for every period in which nothing changed.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from include.garmin.document import NO_DAY, RawDocument
from include.garmin.export.items import Item
from include.garmin.export.layout import Family
from include.garmin.export.measured import MIB

MAX_PIECE_BYTES = 4 * MIB
"""A quarter of activities is about 0.4 MB, a year of days 0.7 MB."""
MAX_GATHERED_BYTES = 8 * MIB
UNDATED = "undated"
KIND = "export"


@dataclass(frozen=True)
class Piece:
    """A document and its oldest day; both days are NO_DAY when no item has a date."""

    document: RawDocument
    first_day: date

    def touches(self, start: date | None, end: date | None) -> bool:
        """Whether it covers a day of `start` to `end`; one without dates always does, so that it is not lost."""
        if self.document.last_day == NO_DAY:
            return True
        return (start is None or self.document.last_day >= start) and (end is None or self.first_day <= end)


@dataclass
class _Gathered:
    bodies: list[tuple[date, bytes]] = field(default_factory=list)
    size: int = 0


def period_of(day: date | None, is_by_quarter: bool) -> str:
    """The name of the period that `day` lies in."""
    if day is None:
        return UNDATED
    return f"{day.year}q{(day.month + 2) // 3}" if is_by_quarter else f"{day.year}"


def pieces(family: Family, items: Iterable[Item]) -> Iterator[Piece]:
    """The documents of all items of a family, each item in exactly one of them."""
    gathered: OrderedDict[str, _Gathered] = OrderedDict()
    handed_out: Counter[str] = Counter()
    total = 0

    def hand_out(name: str) -> Piece:
        handed_out[name] += 1
        again = f"-{handed_out[name]}" if handed_out[name] > 1 else ""
        return _piece(family, f"{family.name}-{name}{again}", gathered.pop(name))

    for item in items:
        day = family.day(item.value)
        name = period_of(day, family.is_by_quarter)
        period = gathered.setdefault(name, _Gathered())
        gathered.move_to_end(name)
        period.bodies.append((day or NO_DAY, item.body))
        period.size += len(item.body)
        total += len(item.body)
        while gathered and (period.size >= MAX_PIECE_BYTES or total > MAX_GATHERED_BYTES):
            leaving = name if period.size >= MAX_PIECE_BYTES else next(iter(gathered))
            total -= gathered[leaving].size
            yield hand_out(leaving)
            period = gathered.get(name, _Gathered())
    for name in sorted(gathered):
        yield hand_out(name)


def _piece(family: Family, name: str, period: _Gathered) -> Piece:
    dated = sorted(period.bodies, key=lambda body: body[0])
    body = b"[" + b",\n".join(body for _, body in dated) + b"]"
    if family.envelope is not None:
        body = b'[{"' + family.envelope.encode() + b'":' + body + b"}]"
    first_day, last_day = dated[0][0], dated[-1][0]
    return Piece(RawDocument(KIND, last_day, name, body, first_day=first_day), first_day)
