"""Feature rows of all athletes of a folder or source, made here and kept nowhere."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from include.curate import Tables, curate
from include.curate.store import from_csv
from include.curate.tables import COLUMNS
from include.features.build import build_features
from include.garmin.document import SourceError, StoredDocument
from include.garmin.open import open_source

LAST_DAY = date(2026, 1, 1)
"""Last day of synthetic athletes, so that they are the same whenever this runs."""


def features_of(place: str, prefix: str = "") -> pd.DataFrame:
    """Feature rows of all athletes of a folder or source; athletes' names are given the prefix.

    Raises:
        SourceError: there is no such place, or no athlete in it with a reading or an activity.
    """
    parts = [build_features(_named(tables, prefix + athlete)) for athlete, tables in tables_of(place)]
    found = [part for part in parts if len(part)]
    if not found:
        raise SourceError(f"no athlete of {place} has a reading or an activity")
    return pd.concat(found, ignore_index=True)


def tables_of(place: str) -> Iterator[tuple[str, Tables]]:
    """The curated tables of each athlete of a folder or source."""
    folder = Path(place)
    tree = next((place for place in (folder / "curated", folder) if (place / "vo2max").is_dir()), None)
    if tree is not None:
        for athlete in sorted({path.name for path in tree.glob("*/athlete_id=*")}):
            parts = {table: sorted((tree / table / athlete).rglob("*.csv")) for table in COLUMNS}
            frames = {
                table: from_csv(table, *([part.read_bytes() for part in found] or [_header(table)]))
                for table, found in parts.items()
            }
            yield athlete.removeprefix("athlete_id="), _tables(frames)
        return
    source = open_source(f"folder:{place}" if folder.is_dir() else place, LAST_DAY)
    for athlete in source.athletes():
        documents = enumerate(source.fetch(athlete, None, None))
        now = datetime(2026, 1, 1, tzinfo=UTC)
        yield athlete, curate(StoredDocument(**vars(document), athlete_id=athlete, fetched_at=now, key=f"{number:08}")
                              for number, document in documents)  # fmt: skip


def _header(table: str) -> bytes:
    """The CSV of a table without rows: not every athlete has every table."""
    return ",".join(COLUMNS[table]).encode()


def _named(tables: Tables, athlete: str) -> Tables:
    return _tables({name: frame.assign(athlete_id=athlete) for name, frame in tables.frames().items()})


def _tables(frames: dict[str, pd.DataFrame]) -> Tables:
    return Tables(frames["activities"], frames["days"], frames["vo2max"])
