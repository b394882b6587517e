import numpy as np
import pandas as pd
import pytest

from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SPORT

NOISE = (
    *(f"load_{days}d" for days in (7, 14, 28)),
    *("load_balance", "load_ramp_7d", "load_measured_share", "load_trimp_share"),
    *("history_days", "days_since_activity", "days_since_sport"),
    *("resting_hr_7d", "resting_hr_7d_vs_60d", "hrv_7d_vs_60d", "weight_kg"),
)
"""Features that have nothing to do with the readings."""


def feature_rows(athletes=6, days=900, seed=1, every=4, start="2022-01-01", reverting=0.0) -> pd.DataFrame:
    """Feature rows of athletes whose fitness wanders; by as much as `reverting` it swings about it and comes back."""
    rng = np.random.default_rng(seed)
    return pd.concat(
        [_one(f"athlete-{index}", days, rng, every, start, reverting) for index in range(athletes)], ignore_index=True
    )


def _one(name, days, rng, every, start, reverting):
    calendar = pd.date_range(start, periods=days)
    reading = np.sort(rng.choice(days, days // every, replace=False))
    level = 50 + np.cumsum(rng.normal(0, 0.005 if reverting else 0.05, days))
    keep = np.exp(-1 / 6)
    swing = np.zeros(days)
    for day, push in enumerate(rng.normal(0, np.sqrt(1 - keep**2), days)):
        swing[day] = keep * swing[day - 1] + push
    value = np.round(level + 2 * reverting * swing, 1)
    position = np.searchsorted(reading, np.arange(days), side="right") - 1
    last = np.where(position >= 0, value[reading[np.maximum(position, 0)]], np.nan)
    readings = pd.Series(np.nan, index=range(days))
    readings.iloc[reading] = value[reading]
    frame = pd.DataFrame(index=range(days), columns=list(NAMES), dtype=float)
    for column in NOISE:
        frame[column] = rng.normal(size=days)
    frame["vo2max_last"] = last
    frame["reading_step"] = readings.dropna().diff().reindex(range(days)).ffill().fillna(0.0)
    frame["reading_activity_gap"] = frame["reading_activity_gap_mean"] = 0.0
    frame["reading_age_days"] = np.where(position >= 0, np.arange(days) - reading[np.maximum(position, 0)], np.nan)
    for window in (30, 90):
        frame[f"reading_mean_{window}d_gap"] = readings.rolling(window, min_periods=1).mean().ffill() - last
    frame["reading_mean_all_gap"] = readings.expanding().mean().ffill() - last
    frame["reading_volatility"] = 1.0 + 0.2 * rng.random()
    frame["reading_pairs"] = (position + 1.0).astype(float)
    frame["readings"] = position + 1.0
    frame["reading_history_days"] = np.arange(days, dtype=float)
    frame["load_mean"], frame["load_42d"], frame["hrv_7d"] = 60.0, 60.0, 60.0
    for kind, usual in (("training_hours", 2.5), ("sport_sessions", 2.0)):
        frame[f"{kind}_21d"] = frame[f"{kind}_mean"] = usual
    frame[RECORD_ID] = name
    frame[EVENT_TIME] = calendar.strftime("%Y-%m-%dT00:00:00Z")
    frame[SPORT] = "running"
    return frame[[RECORD_ID, EVENT_TIME, SPORT, *NAMES]]


@pytest.fixture(scope="session")
def make_features():
    return feature_rows
