"""The features: names, order, units and meaning; the one module that training, endpoint and Lambda share.

Standard library alone. Every feature is what was known at the end of the row's local day.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SCHEMA_VERSION = 4
"""Raised with every change of FEATURES; the feature group is named by it."""
RECORD_ID = "athlete_id"
EVENT_TIME = "event_time"
SPORT = "sport"
TEXT_COLUMNS = (RECORD_ID, EVENT_TIME, SPORT)
"""Columns of a record that are strings; all others are Fractional."""


@dataclass(frozen=True)
class Feature:
    """One number of a row; `optional` says that it may be unknown (NaN, null, or absent from a record)."""

    name: str
    unit: str
    meaning: str
    optional: bool = False


FEATURES: tuple[Feature, ...] = (
    Feature("vo2max_last", "ml/kg/min", "the last reading of the athlete's series"),
    Feature("reading_age_days", "d", "days since the last reading; 0 = a reading was made that day"),
    Feature("reading_step", "ml/kg/min", "the last reading minus the one before it; 0 while there is one"),
    Feature("reading_activity_gap", "ml/kg/min", "what that day's activity told, minus the reading; else as before"),
    Feature("reading_activity_gap_mean", "ml/kg/min", "mean of reading_activity_gap over the readings so far"),
    Feature("reading_mean_30d_gap", "ml/kg/min", "mean of the readings in the 30 d up to the last one, minus the last"),
    Feature("reading_mean_90d_gap", "ml/kg/min", "mean of the readings in the 90 d up to the last one, minus the last"),
    Feature("reading_mean_all_gap", "ml/kg/min", "mean of all readings so far, minus the last"),
    Feature("reading_volatility", "ml/kg/min", "mean absolute change between readings about 28 d apart", True),
    Feature("reading_pairs", "1", "number of pairs of readings behind reading_volatility"),
    Feature("readings", "1", "number of readings so far"),
    Feature("reading_history_days", "d", "days from the first reading to the last"),
    Feature("history_days", "d", "days since the first activity or reading"),
    Feature("load_7d", "1/d", "training load a day, exponentially weighted with time constant 7 d (ATL)", True),
    Feature("load_14d", "1/d", "training load a day, time constant 14 d", True),
    Feature("load_28d", "1/d", "training load a day, time constant 28 d", True),
    Feature("load_42d", "1/d", "training load a day, time constant 42 d (CTL)", True),
    Feature("load_balance", "1/d", "load_42d minus load_7d (TSB, form)", True),
    Feature("load_ramp_7d", "1/d", "load_42d minus its value 7 d before", True),
    Feature("load_mean", "1/d", "mean training load a day over the history so far", True),
    Feature("load_measured_share", "1", "share of load_42d that the watch measured (activityTrainingLoad)", True),
    Feature("load_trimp_share", "1", "share of load_42d that is TRIMP (heart rate); the rest is from duration", True),
    Feature("training_hours_21d", "h/week", "hours of training a week over the last 21 d, all sports", True),
    Feature("training_hours_mean", "h/week", "hours of training a week over the history so far, all sports", True),
    Feature("sport_sessions_21d", "1/week", "sessions a week of the series' sport over the last 21 d", True),
    Feature("sport_sessions_mean", "1/week", "sessions a week of the series' sport over the history so far", True),
    Feature("days_since_activity", "d", "days since the last activity of any sport", True),
    Feature("days_since_sport", "d", "days since the last activity of the series' sport", True),
    Feature("resting_hr_7d", "bpm", "mean resting heart rate of 7 d", True),
    Feature("resting_hr_7d_vs_60d", "bpm", "resting_hr_7d minus the mean of 60 d", True),
    Feature("hrv_7d", "ms", "mean overnight heart-rate variability of 7 d", True),
    Feature("hrv_7d_vs_60d", "ms", "hrv_7d minus the mean of 60 d", True),
    Feature("weight_kg", "kg", "last weight of the past 30 d", True),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
OPTIONAL: frozenset[str] = frozenset(feature.name for feature in FEATURES if feature.optional)
COLUMNS: tuple[str, ...] = (*TEXT_COLUMNS, *NAMES)
"""Columns of a feature frame and of a record, in order."""


def feature_vector(values: Mapping[str, float | None]) -> list[float]:
    """The values in schema order, NaN where an optional feature is unknown (None, NaN or absent).

    Raises:
        ValueError: naming every feature that is missing, unknown to the schema, not a number, infinite, or NaN
            although it is not optional. An athlete without a reading has no `vo2max_last` and ends here.
    """
    problems = [f"unknown feature {name!r}" for name in values if name not in NAMES]
    vector: list[float] = []
    for name in NAMES:
        value = values.get(name)
        number = math.nan if value is None else _number(value)
        if number is None:
            problems.append(f"{name} is not a number")
        elif math.isinf(number):
            problems.append(f"{name} is infinite")
        elif math.isnan(number) and name not in OPTIONAL:
            problems.append(f"{name} is {'not a number (NaN)' if name in values else 'missing'}")
        else:
            vector.append(number)
    if problems:
        raise ValueError("features: " + "; ".join(problems))
    return vector


def from_record(record: Iterable[Mapping[str, str]]) -> dict[str, float | None]:
    """The features of a Feature Store record (`[{"FeatureName", "ValueAsString"}]`), None where it has no value."""
    found = {item["FeatureName"]: item["ValueAsString"] for item in record}
    return {name: float(found[name]) if name in found else None for name in NAMES}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
