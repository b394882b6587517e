"""Whether anything was understood of what an export holds: a renaming by Garmin must not be an empty page."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from include.garmin.document import SourceError
from include.garmin.export.items import Item
from include.garmin.export.layout import MOST_NAMED, Family
from include.garmin.export.measured import Member, Unreadable

LONGEST_REASON = 160
"""Characters of what was found; the message is shown in a line."""


@dataclass
class Outcome:
    """What became of the members of one family."""

    family: Family
    is_understood: bool = False
    """Whether an item has a day."""
    found: list[str] = field(default_factory=list)
    """What there was in place of them, of the first few."""

    def counted(self, items: Iterable[Item], member: Member) -> Iterator[Item]:
        """The items as they come; until one has a day, what they look like is noted."""
        for item in items:
            if not self.is_understood:
                self.is_understood = self.family.day(item.value) is not None
                if not self.is_understood:
                    self._note(member, _look(item.body))
            yield item

    def note_unreadable(self, member: Member, error: Unreadable) -> None:
        """Note that a member, or the rest of one, could not be read."""
        self._note(member, str(error))

    def _note(self, member: Member, what: str) -> None:
        if len(self.found) < MOST_NAMED:
            self.found.append(f"{member.path.rpartition('/')[2][:80]!a} {what[:LONGEST_REASON]}")

    @property
    def is_lost(self) -> bool:
        """Whether there was something and nothing of it was understood; an empty list is nothing."""
        return bool(self.found) and not self.is_understood


def refuse_lost(outcomes: Iterable[Outcome], athlete_id: str) -> None:
    """Raise when of some families nothing at all was understood.

    Raises:
        SourceError: names the families, what was found in their members and what was expected.
    """
    lost = [outcome for outcome in outcomes if outcome.is_lost]
    if lost:
        told = "; ".join(
            f"nothing could be read of its {outcome.family.name}: {outcome.found[0]}; expected {outcome.family.shape}"
            for outcome in lost
        )
        raise SourceError(f"export of {athlete_id}: {told}. All else that it holds is kept")


def _look(body: bytes) -> str:
    value = json.loads(body)
    if not isinstance(value, Mapping):
        return f"holds {type(value).__name__} for objects"
    keys = [ascii(str(key)[:40]) for key in value][:MOST_NAMED]
    return f"holds objects with {', '.join(keys) or 'nothing in them'}{', …' if len(value) > len(keys) else ''}"
