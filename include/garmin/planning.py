"""Which athletes and days a run works on: in batches, that Airflow maps its tasks over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

from include.garmin.document import SourceError
from include.garmin.open import is_live
from include.garmin.periods import months
from include.garmin.registry import Athlete

ATHLETES_PER_BATCH = 25
MIN_BATCHES = 2
"""So that two workers share the work of few athletes."""
MOST_PIECES = 500
"""Airflow maps a task over at most 1024; beyond so many pieces, one spans several months."""

Days = tuple[date | None, date | None]
"""First and last day; None is all there is."""


@dataclass(frozen=True)
class Batch:
    """Athletes whose data one task works on, and the days."""

    athletes: tuple[Athlete, ...]
    days: Days
    again: bool = False
    """Ask Garmin also for what raw holds already."""

    @property
    def names(self) -> list[str]:
        return [athlete.athlete_id for athlete in self.athletes]

    def as_json(self) -> dict[str, Any]:
        """What Airflow hands from task to task."""
        start, end = (day and day.isoformat() for day in self.days)
        athletes = [{"athlete_id": athlete.athlete_id, "source": athlete.source} for athlete in self.athletes]
        return {"athletes": athletes, "start": start, "end": end, "again": self.again}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Batch":
        """What `as_json` made."""
        start, end = (date.fromisoformat(value[name]) if value[name] else None for name in ("start", "end"))
        return Batch(tuple(Athlete(**athlete) for athlete in value["athletes"]), (start, end), value["again"])


@dataclass(frozen=True)
class FetchPlan:
    """What one run does: fetch `files` side by side and `live` one after the other, then `batches` into tables."""

    files: list[Batch]
    live: list[Batch]
    batches: list[Batch]

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """What Airflow hands from task to task."""
        lists = {"files": self.files, "live": self.live, "batches": self.batches}
        return {name: [batch.as_json() for batch in batches] for name, batches in lists.items()}


def batched(athletes: Sequence[Athlete], days: Days, *, again: bool = False) -> list[Batch]:
    """Athletes in even batches, in their order; [] for none."""
    count = max(min(MIN_BATCHES, len(athletes)), -(-len(athletes) // ATHLETES_PER_BATCH))
    edges = [i * len(athletes) // count for i in range(count + 1)] if count else []
    return [Batch(tuple(athletes[a:b]), days, again) for a, b in pairwise(edges)]


def plan_days(batches: Sequence[Batch], default_source: str) -> FetchPlan:
    """Plan the fetch of each batch's days: the athletes whose source asks Garmin apart from those of files."""

    def part(batch: Batch, *, live: bool) -> Batch:
        athletes = (a for a in batch.athletes if is_live(a.source or default_source) is live)
        return replace(batch, athletes=tuple(athletes))

    files, asked = ([part(batch, live=live) for batch in batches] for live in (False, True))
    return FetchPlan(
        files=[batch for batch in files if batch.athletes],
        live=[batch for batch in asked if batch.athletes],
        batches=list(batches),
    )


def plan_history(
    athletes: Sequence[Athlete], default_source: str, days: Days, today: date, *, again: bool = False
) -> FetchPlan:
    """Plan the loading of `days`: what asks Garmin by months, newest first, and files whole.

    Raises:
        SourceError: Garmin is to be asked, and no first day is given.
    """
    live = [athlete for athlete in athletes if is_live(athlete.source or default_source)]
    files = [athlete for athlete in athletes if athlete not in live]
    return FetchPlan(
        files=batched(files, days, again=again),
        live=_by_month(live, days, today, again=again),
        batches=batched(athletes, days),
    )


def _by_month(athletes: Sequence[Athlete], days: Days, today: date, *, again: bool) -> list[Batch]:
    if not athletes:
        return []
    if days[0] is None:
        raise SourceError("Garmin is asked month by month: give 'from', the first day to load")
    last, groups = days[1] or today, len(batched(athletes, days))
    per_piece = -(-groups * len(months(days[0], last)) // MOST_PIECES)
    pieces = months(days[0], last, per_piece)
    return [batch for piece in pieces for batch in batched(athletes, piece, again=again)]
