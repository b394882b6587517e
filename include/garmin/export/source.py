"""Account exports as a source."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from include.garmin.document import NO_DAY, Held, RawDocument, SourceError, UnknownAthlete, nothing_held
from include.garmin.export.items import EXCERPT_CHARACTERS, Item, NotItems, items
from include.garmin.export.layout import FAMILIES, Family, family_of, in_order, is_uploaded
from include.garmin.export.measured import Allowance, Member, Unreadable, check, measured, shown
from include.garmin.export.pieces import KIND, pieces
from include.garmin.export.places import Client, places
from include.garmin.export.understood import Outcome, refuse_lost
from include.garmin.export.uploaded import uploaded_metrics


class ExportSource:
    """The athletes whose account exports lie at a location (see `places`).

    Documents are of kind `export`: for each family of members and calendar quarter or year one list of whole
    items (see `pieces`). Memory does not grow with the years.

    Every member's checksum is verified before the first document is handed out. A member that is damaged, or not the
    JSON that it should be, takes no other with it: it is handed out as a document that begins with the reason and is
    no JSON, so that `write_raw` puts it in quarantine; the items before the damage are kept, and where the damage is
    within an item, those behind it too.

    Where nothing at all is understood of a family, `fetch` ends with an error that says what was found, after the last
    document.
    """

    def __init__(self, location: str, client: Client | None = None) -> None:
        """`client` gives the boto3 client of a service, for `s3://`. Raises SourceError when nothing is there."""
        self._exports = places(location, client)

    def athletes(self) -> list[str]:
        return sorted(self._exports)

    def fetch(
        self,
        athlete_id: str,
        start: date | None,
        end: date | None,
        held: Held = nothing_held,  # noqa: ARG002 - content that raw holds is not written twice
    ) -> Iterator[RawDocument]:
        """Documents with a day in the range, whole; undated and unreadable ones whatever the range.

        Raises:
            UnknownAthlete: there is no export of this athlete.
            SourceError: `start` is after `end`; when the first document is asked for: no export, or a zip that is
                refused (the message names the member); after the last document: nothing was understood of a family.
        """
        if athlete_id not in self._exports:
            raise UnknownAthlete(f"no athlete {athlete_id!r} in the exports; there are {', '.join(self.athletes())}")
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        return self._documents(athlete_id, start, end)

    def _documents(self, athlete_id: str, start: date | None, end: date | None) -> Iterator[RawDocument]:
        with self._exports[athlete_id]() as members:
            outcomes = {family.name: Outcome(family) for family in FAMILIES}
            ordered = sorted(members, key=lambda member: in_order(member.path))
            sound, unreadable = _checked((member for member in ordered if not is_uploaded(member.path)), outcomes)
            allowance = Allowance()
            for family in FAMILIES:
                found = _items(family, sound, unreadable, outcomes[family.name], allowance)
                yield from (piece.document for piece in pieces(family, found) if piece.touches(start, end))
            yield from unreadable
            yield from uploaded_metrics((member for member in ordered if is_uploaded(member.path)), start, end)
            refuse_lost(outcomes.values(), athlete_id)


def _checked(members: Iterable[Member], outcomes: Mapping[str, Outcome]) -> tuple[list[Member], list[RawDocument]]:
    """The members that are whole, and a document for each that is not."""
    sound, unreadable = [], []
    allowance = Allowance()
    for member in members:
        try:
            check(member, allowance)
            sound.append(member)
        except Unreadable as error:
            unreadable.append(_unreadable(member, error))
            if family := family_of(member.path):
                outcomes[family.name].note_unreadable(member, error)
    return sound, unreadable


def _items(
    family: Family, members: Iterable[Member], unreadable: list[RawDocument], outcome: Outcome, allowance: Allowance
) -> Iterator[Item]:
    """The items of the family's members, in order; what is damaged of a member is added to `unreadable`."""
    for member in members:
        if family_of(member.path) is not family:
            continue
        damage: list[Unreadable] = []
        try:
            with measured(member, allowance) as stream:
                yield from outcome.counted(items(stream, family.envelope, damage.append, family.fields), member)
        except Unreadable as error:
            damage.append(error)
        if damage:
            unreadable.append(_unreadable(member, damage[0], len(damage)))
            outcome.note_unreadable(member, damage[0])


def _unreadable(member: Member, error: Unreadable, count: int = 1) -> RawDocument:
    """What stands in quarantine for a member that is damaged in `count` places, of which `error` is the first."""
    excerpt = error.excerpt if isinstance(error, NotItems) else ""
    file = member.path.rpartition("/")[2].removesuffix(".json")[:100]
    reason = f"export member {shown(member.path)} {str(error)[:EXCERPT_CHARACTERS]}"
    reason += f", and in {count - 1} more places" if count > 1 else ""
    body = f"{reason}\n\n{excerpt}".encode(errors="replace")
    return RawDocument(KIND, NO_DAY, f"unreadable-{file}", body, unreadable=reason)
