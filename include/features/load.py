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

import numpy as np
import pandas as pd

HOURLY_LOAD = {"running": 80.0, "cycling": 55.0, "swimming": 60.0, "walking": 25.0, "hiking": 30.0, "strength": 30.0}
OTHER_HOURLY_LOAD = 40.0
USUAL_RESTING_HR_BPM = 60.0
MAX_HR_RANGE_BPM = (180.0, 210.0)
"""The highest heart rate seen so far is taken within this range: few have shown their maximum in the first weeks."""

_SPORT_WORDS = (
    ("running", ("run",)),
    ("cycling", ("cycl", "bik", "ride")),
    ("swimming", ("swim",)),
    ("hiking", ("hik", "mountaineer")),
    ("walking", ("walk",)),
    ("strength", ("strength", "fitness_equipment", "yoga", "pilates")),
)


def sport_family(sport: str) -> str:
    """`running`, `cycling`, `swimming`, `hiking`, `walking`, `strength` or `other` for a Garmin activity type key."""
    key = sport.lower()
    return next((family for family, words in _SPORT_WORDS if any(word in key for word in words)), "other")


def activity_loads(activities: pd.DataFrame, resting_hr_bpm: pd.Series) -> pd.DataFrame:
    """Columns day, family, hours, load and source for each activity of one athlete, ordered by day.

    Multisport parents are left out where their legs are there. `resting_hr_bpm` is indexed by day; an activity uses the
    mean of the 60 days up to its own, and the highest heart rate up to its own day.
    """
    rows = _without_parents(activities).sort_values(["day", "activity_id"], kind="stable").reset_index(drop=True)
    family = rows["sport"].fillna("other").astype(str).map(sport_family)
    measured = pd.to_numeric(rows["training_load"], errors="coerce")
    trimp = _trimp(rows, resting_hr_bpm)
    hours = pd.to_numeric(rows["duration_s"], errors="coerce").clip(lower=0).fillna(0.0) / 3600
    by_duration = hours * family.map(HOURLY_LOAD).fillna(OTHER_HOURLY_LOAD)
    load = measured.where(measured >= 0).fillna(trimp).fillna(by_duration).fillna(0.0)
    source = np.select([measured.ge(0), trimp.notna()], ["measured", "trimp"], "duration")
    return pd.DataFrame(
        {"day": rows["day"], "family": family, "hours": hours, "load": load.astype(float), "source": source}
    )


def _without_parents(activities: pd.DataFrame) -> pd.DataFrame:
    parents = set(activities["parent_id"].dropna().astype(str)) - {""}
    return activities[~activities["activity_id"].astype(str).isin(parents)]


def _trimp(rows: pd.DataFrame, resting_hr_bpm: pd.Series) -> pd.Series:
    average = pd.to_numeric(rows["avg_hr_bpm"], errors="coerce")
    highest = pd.to_numeric(rows["max_hr_bpm"], errors="coerce").groupby(rows["day"]).transform("max")
    maximal = highest.cummax().ffill().fillna(0.0).clip(*MAX_HR_RANGE_BPM)
    resting = pd.Series(USUAL_RESTING_HR_BPM, index=rows.index)
    if len(resting_hr_bpm) and len(rows):
        usual = resting_hr_bpm.rolling("60D").mean().ffill()
        resting = pd.Series(usual.reindex(rows["day"], method="ffill").to_numpy(), index=rows.index)
        resting = resting.fillna(USUAL_RESTING_HR_BPM).clip(30.0, 100.0)
    reserve = ((average - resting) / (maximal - resting)).clip(0.0, 1.0)
    minutes = pd.to_numeric(rows["duration_s"], errors="coerce").clip(lower=0) / 60
    impulse: pd.Series = minutes * reserve * 0.64 * np.exp(1.92 * reserve)
    return impulse
