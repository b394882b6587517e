"""The same activity, day or reading in several documents becomes one row: which document wins, field by field.

The shape of a document decides, not when it was fetched; among documents of one shape the later fetch wins. Nothing
(null, or a code of "not measured") never replaces a value. So documents may be fetched in any order, by any source.

| table      | order of shapes, the first that tells a field wins |
|------------|----------------------------------------------------|
| activities | activity_list, activity, export, fit; but of `energy_kcal` fit before export |
| days       | sleep, export_sleep, hrv, export_health, weighing, export_weighing, day, stress, heart_rate, export_day |
| vo2max     | max_metrics, training_status, export_max_met, fit_metrics, export_activity, day, fit; precise first |

Why: the list and the summary (`activity`) hold what the athlete sees and may have corrected; the account export is a
snapshot of the same in other units; a FIT file is what the watch wrote before any correction. A FIT file's energy is
in kcal by its profile, the export's is kJ by observation only. A dedicated answer (sleep, HRV, a weighing) goes before
a figure that the summary of the day repeats.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

ACTIVITY_SHAPES = ("activity_list", "activity", "export", "fit")
ACTIVITY_EXCEPTIONS: Mapping[str, Sequence[str]] = {"energy_kcal": ("activity_list", "activity", "fit", "export")}
DAY_SHAPES = (
    "sleep", "export_sleep", "hrv", "export_health", "weighing", "export_weighing",
    "day", "stress", "heart_rate", "export_day",
)  # fmt: skip
READING_SHAPES = (
    "max_metrics", "training_status", "export_max_met", "fit_metrics", "export_activity", "day", "fit",
)  # fmt: skip


def merge_activities(rows: Iterable[Row]) -> list[Row]:
    """One row per `activity_id`. `source` is the first of ACTIVITY_SHAPES that told of the activity at all."""
    return _merged(rows, ("activity_id",), ACTIVITY_SHAPES, ACTIVITY_EXCEPTIONS)


def merge_days(rows: Iterable[Row]) -> list[Row]:
    """One row per `day`."""
    return _merged(rows, ("day",), DAY_SHAPES, {})


def merge_readings(rows: Iterable[Row]) -> list[Row]:
    """One row per `day` and `sport`; the precise and the rounded value are two fields."""
    return _merged(rows, ("day", "sport"), READING_SHAPES, {})


def _merged(
    rows: Iterable[Row], key: Sequence[str], shapes: Sequence[str], exceptions: Mapping[str, Sequence[str]]
) -> list[Row]:
    """`rows` are in order of fetch; `source` names the shape of each."""
    same: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        same.setdefault(tuple([row[name] for name in key]), []).append(row)
    return [found[0] if len(found) == 1 else _one(found, shapes, exceptions) for found in same.values()]


def _one(rows: Sequence[Row], shapes: Sequence[str], exceptions: Mapping[str, Sequence[str]]) -> Row:
    told: dict[str, Row] = {}
    for row in rows:
        told.setdefault(row["source"], {}).update({name: value for name, value in row.items() if value is not None})
    result: Row = {}
    for shape in reversed(shapes):
        result |= told.get(shape, {})
    for name, order in exceptions.items():
        values = [told[shape][name] for shape in order if name in told.get(shape, {})]
        if values:
            result[name] = values[0]
    return result
