"""From raw documents to the three tables: parse, merge, mend, count once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from include.curate import units
from include.curate.multisport import count_once
from include.curate.parse import Parsed, parse_document
from include.curate.readings import one_a_day
from include.curate.tables import Tables, empty_tables, to_frame
from include.garmin.document import StoredDocument

Row = dict[str, Any]


def curate(documents: Iterable[StoredDocument]) -> Tables:
    """The tables of one athlete. No documents, or documents without rows, give tables without rows.

    Documents are taken in order of fetch (then key), whatever order they come in: of two that tell the same
    activity or day the later wins field by field, and never replaces a value with nothing. Content that makes no
    sense is counted in `Tables.unread` and never raises.

    Raises:
        ValueError: documents of more than one athlete.
    """
    ordered = sorted(documents, key=lambda document: (document.fetched_at, document.key))
    athletes = {document.athlete_id for document in ordered}
    if len(athletes) > 1:
        raise ValueError(f"documents of more than one athlete: {', '.join(sorted(athletes))}")
    if not ordered:
        return empty_tables()
    parsed = Parsed()
    for document in ordered:
        parse_document(document.body, document.kind, parsed)
    return _tables(parsed, athletes.pop())


def _tables(parsed: Parsed, athlete_id: str) -> Tables:
    mends: Counter[str] = Counter()
    activities = _merge(parsed.activities, "activity_id")
    for row in activities:
        row["sport"] = row.get("sport") or "other"
        row["is_manual"] = row.get("is_manual") or False
    activities = count_once(activities, mends)
    _mend_units(activities, mends)
    readings = one_a_day(parsed.readings, activities, mends)
    days = [row for row in _merge(parsed.days, "day") if len(row) > 1]
    return Tables(
        activities=to_frame("activities", _owned(activities, athlete_id)),
        days=to_frame("days", _owned(days, athlete_id)),
        vo2max=to_frame("vo2max", _owned(readings, athlete_id)),
        mends=dict(sorted(mends.items())),
        unread=dict(sorted(parsed.unread.items())),
    )


def _merge(rows: Sequence[Row], key: str) -> list[Row]:
    """One row per `key`: later over earlier, a value over none."""
    merged: dict[str, Row] = {}
    for row in rows:
        merged.setdefault(row[key], {}).update({name: value for name, value in row.items() if value is not None})
    return list(merged.values())


def _owned(rows: Sequence[Row], athlete_id: str) -> list[Row]:
    return [{**row, "athlete_id": athlete_id} for row in rows]


def _mend_units(rows: list[Row], mends: Counter[str]) -> None:
    """Bring values in kJ or centimetres to kcal and metres, in place; each value mended is counted."""
    rows.sort(key=lambda row: (str(row.get("_start_local") or ""), row["activity_id"]))
    climbs_too_fast = np.array([_climbs_too_fast(row) for row in rows], dtype=bool)
    for rule, value, per, surely in (
        (units.KJ, "energy_kcal", "duration_s", np.zeros(len(rows), dtype=bool)),
        (units.CM, "elevation_gain_m", "distance_m", climbs_too_fast),
    ):
        ratios = np.array([_ratio(row.get(value), row.get(per)) for row in rows], dtype=np.float64)
        for row, is_foreign in zip(rows, units.foreign(ratios, rule, surely).tolist(), strict=True):
            if is_foreign and row.get(value):
                row[value] /= rule.factor
                mends[rule.name] += 1


def _ratio(value: float | None, per: float | None) -> float:
    """NaN when the activity is too short for its ratio to say anything (60 s, 60 m)."""
    return value / per if value is not None and per is not None and per >= 60.0 else float("nan")


def _climbs_too_fast(row: Row) -> bool:
    """Not for sports with lifts."""
    speed = _ratio(row.get("elevation_gain_m"), row.get("duration_s"))
    return row["sport"] in ("running", "cycling", "walking", "hiking") and speed > units.FASTEST_CLIMB_MPS
