"""Which athletes and days a run works on: in batches, that Airflow maps its tasks over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import ceil
from typing import Any

from include.garmin.document import SourceError
from include.garmin.open import is_live
from include.garmin.periods import months
from include.garmin.registry import Athlete

ATHLETES_PER_BATCH = 25
MIN_BATCHES = 2
"""So that two workers share the work of few athletes."""
MOST_BATCHES = 1000
"""Airflow maps a task over at most 1024 (`core.max_map_length`); beyond so many batches, each has more athletes."""
MOST_PIECES = 500
"""Of what Garmin is asked for; beyond so many pieces, one spans several months."""

Days = tuple[date | None, date | None]
"""First and last day; None is all there is."""


@dataclass(frozen=True)
class Batch:
    """Athletes whose data one task works on, and the days."""

    athletes: tuple[Athlete, ...]
    days: Days
    again: bool = False
    """Ask Garmin also for what raw holds already."""
    reads_files: bool = True
    """Whether athletes whose source is files are read anew, before their tables are made."""
    accept_fewer: bool = False
    """Whether a month of the tables may lose most of its rows."""

    def file_sources(self, default_source: str) -> dict[str, str]:
        """The source of each athlete that is to be read from files."""
        sources = {athlete.athlete_id: athlete.source or default_source for athlete in self.athletes}
        return {name: spec for name, spec in sources.items() if self.reads_files and not is_live(spec)}

    @property
    def names(self) -> list[str]:
        return [athlete.athlete_id for athlete in self.athletes]

    def as_json(self) -> dict[str, Any]:
        """What Airflow hands from task to task."""
        start, end = (day and day.isoformat() for day in self.days)
        athletes = [{"athlete_id": athlete.athlete_id, "source": athlete.source} for athlete in self.athletes]
        flags = {"again": self.again, "reads_files": self.reads_files, "accept_fewer": self.accept_fewer}
        return {"athletes": athletes, "start": start, "end": end, **flags}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Batch":
        """What `as_json` made."""
        start, end = (date.fromisoformat(value[name]) if value[name] else None for name in ("start", "end"))
        athletes = tuple(Athlete(**athlete) for athlete in value["athletes"])
        return Batch(athletes, (start, end), value["again"], value["reads_files"], value["accept_fewer"])


def batch_count(athletes: int) -> int:
    """How many batches so many athletes make."""
    return min(max(min(MIN_BATCHES, athletes), ceil(athletes / ATHLETES_PER_BATCH)), MOST_BATCHES)


def batched(
    athletes: Sequence[Athlete],
    days: Days,
    *,
    again: bool = False,
    reads_files: bool = True,
    accept_fewer: bool = False,
) -> list[Batch]:
    """Athletes in even batches, in their order; [] for none."""
    count = batch_count(len(athletes))
    edges = [i * len(athletes) // count for i in range(count + 1)] if count else []
    return [Batch(tuple(athletes[a:b]), days, again, reads_files, accept_fewer) for a, b in pairwise(edges)]


def live_part(batches: Sequence[Batch], default_source: str) -> list[Batch]:
    """The batches with those athletes alone whose source asks Garmin Connect itself; none without any."""
    parts = [
        replace(batch, athletes=tuple(a for a in batch.athletes if is_live(a.source or default_source)))
        for batch in batches
    ]
    return [part for part in parts if part.athletes]


def live_months(
    athletes: Sequence[Athlete], default_source: str, days: Days, today: date, *, again: bool = False
) -> list[Batch]:
    """What Garmin Connect is to be asked for `days`, by months, newest first.

    Raises:
        SourceError: Garmin is to be asked, and no first day is given.
    """
    live = [athlete for athlete in athletes if is_live(athlete.source or default_source)]
    return _by_month(live, days, today, again=again)


def _by_month(athletes: Sequence[Athlete], days: Days, today: date, *, again: bool) -> list[Batch]:
    if not athletes:
        return []
    if days[0] is None:
        raise SourceError("Garmin is asked month by month: give 'from', the first day to load")
    last, groups = days[1] or today, len(batched(athletes, days))
    per_piece = -(-groups * len(months(days[0], last)) // MOST_PIECES)
    pieces = months(days[0], last, per_piece)
    return [batch for piece in pieces for batch in batched(athletes, piece, again=again)]
