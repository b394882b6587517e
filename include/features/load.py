"""Training load of each activity, and its source.

1. `measured`: Garmin's activityTrainingLoad (from EPOC), as it is.
2. `trimp`: where it is missing and the heart rate is known, Banister's training impulse (Banister 1991, in
   "Physiological Testing of Elite Athletes"): minutes × r × 0.64 × exp(1.92 × r), where
   r = (average - resting) / (maximal - resting) heart rate. The constants are those for men: sex is not in the data;
   women's (0.86, 1.67) give up to 19 % more for r between 0.5 and 0.9.
3. `duration`: else hours × a factor of the sport (below; our own round numbers, near the median measured load of an
   easy hour).
One hour at r = 0.7 gives 103, near what a watch measures: the three may follow one another in one series.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.features.days import UNKNOWN_DAY, Days, Flags, Floats, day_numbers, numbers, to_index

HOURLY_LOAD = {"running": 80.0, "cycling": 55.0, "swimming": 60.0, "walking": 25.0, "hiking": 30.0, "strength": 30.0}
OTHER_HOURLY_LOAD = 40.0
USUAL_RESTING_HR_BPM = 60.0
MAX_HR_RANGE_BPM = (180.0, 210.0)
"""The highest heart rate seen so far is taken within this range: few have shown their maximum in the first weeks."""

FAMILIES = (*HOURLY_LOAD, "other")
SOURCES = ("measured", "trimp", "duration")
_HOURLY_LOADS = np.array([*HOURLY_LOAD.values(), OTHER_HOURLY_LOAD])
_RESTING_HR_RANGE_BPM = (30.0, 100.0)
_SPORT_WORDS = (
    ("running", ("run",)),
    ("cycling", ("cycl", "bik", "ride")),
    ("swimming", ("swim",)),
    ("hiking", ("hik", "mountaineer")),
    ("walking", ("walk",)),
    ("strength", ("strength", "fitness_equipment", "yoga", "pilates")),
)


@dataclass(frozen=True)
class Loads:
    """The activities of one athlete, ordered by day; those without a day are left out.

    Attributes:
        day: days since 1970-01-01.
        family: position in FAMILIES.
        load: training load.
        source: position in SOURCES.
    """

    day: Days
    family: Days
    hours: Floats
    load: Floats
    source: Days


def sport_family(sport: str) -> str:
    """`running`, `cycling`, `swimming`, `hiking`, `walking`, `strength` or `other` for a Garmin activity type key."""
    key = sport.lower()
    return next((family for family, words in _SPORT_WORDS if any(word in key for word in words)), "other")


def activity_loads(activities: pd.DataFrame, resting_day: Days, resting_hr_bpm: Floats) -> Loads:
    """The load of each activity of one athlete.

    Multisport parents are left out where their legs are there. An activity uses the mean resting heart rate of the 60
    days up to its own, and the highest heart rate up to its own day.

    Args:
        resting_day: days with a known resting heart rate, in order.
        resting_hr_bpm: the resting heart rate of each of them.
    """
    day = day_numbers(activities["day"])
    kept = np.flatnonzero(~_is_parent(activities) & (day != UNKNOWN_DAY))
    order = kept[np.lexsort((*_text_keys(activities["activity_id"].to_numpy()[kept]), day[kept]))]
    day, duration_s = day[order], numbers(activities["duration_s"])[order]
    measured = numbers(activities["training_load"])[order]
    average, highest = (numbers(activities[name])[order] for name in ("avg_hr_bpm", "max_hr_bpm"))
    trimp = _trimp(day, duration_s, average, highest, _usual_resting(day, resting_day, resting_hr_bpm))
    family = _families(activities["sport"].to_numpy()[order])
    duration_s = np.maximum(duration_s, 0.0)
    hours = np.where(np.isnan(duration_s), 0.0, duration_s) / 3600
    is_measured, is_trimp = measured >= 0, ~np.isnan(trimp)
    load = np.where(is_measured, measured, np.where(is_trimp, trimp, hours * _HOURLY_LOADS[family]))
    return Loads(day, family, hours, load, np.where(is_measured, 0, np.where(is_trimp, 1, 2)))


def _is_parent(activities: pd.DataFrame) -> Flags:
    parents = set(activities["parent_id"].dropna().astype(str)) - {""}
    if not parents:  # as with nearly every athlete
        return np.zeros(len(activities), dtype=bool)
    return activities["activity_id"].astype(str).isin(parents).to_numpy()


def _text_keys(values: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.str_], Flags]:
    """Keys of `np.lexsort`, the first one last: in the order of the texts, with what is missing at the end."""
    is_missing = pd.isna(values)
    return np.where(is_missing, "", values).astype(str), is_missing


def _families(sports: npt.NDArray[np.object_]) -> Days:
    codes, names = pd.factorize(sports)  # -1 is a missing sport
    known = [FAMILIES.index(sport_family(str(name))) for name in names]
    return np.array([*known, FAMILIES.index("other")], dtype=np.int64)[codes]


def _usual_resting(day: Days, resting_day: Days, resting_hr_bpm: Floats) -> Floats:
    if not len(resting_day):
        return np.full(len(day), USUAL_RESTING_HR_BPM)
    usual = pd.Series(resting_hr_bpm, index=to_index(resting_day)).rolling("60D").mean().to_numpy()
    position = np.searchsorted(resting_day, day, side="right") - 1
    return np.where(position >= 0, usual[np.maximum(position, 0)], USUAL_RESTING_HR_BPM).clip(*_RESTING_HR_RANGE_BPM)


def _trimp(day: Days, duration_s: Floats, average: Floats, highest: Floats, resting: Floats) -> Floats:
    so_far = np.maximum.accumulate(np.where(np.isnan(highest), 0.0, highest)) if len(highest) else highest
    end_of_day = np.searchsorted(day, day, side="right") - 1
    maximal = so_far[end_of_day].clip(*MAX_HR_RANGE_BPM)
    reserve = ((average - resting) / (maximal - resting)).clip(0.0, 1.0)
    minutes = np.maximum(duration_s, 0.0) / 60
    impulse: Floats = minutes * reserve * 0.64 * np.exp(1.92 * reserve)
    return impulse
