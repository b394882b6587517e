from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

ACTIVITY_COLUMNS = [
    "athlete_id",
    "activity_id",
    "started_at_utc",
    "day",
    "sport",
    "duration_s",
    "distance_m",
    "elevation_gain_m",
    "avg_speed_mps",
    "avg_hr_bpm",
    "max_hr_bpm",
    "avg_power_w",
    "energy_kcal",
    "training_load",
    "aerobic_te",
    "anaerobic_te",
    "hr_zone_1_s",
    "hr_zone_2_s",
    "hr_zone_3_s",
    "hr_zone_4_s",
    "hr_zone_5_s",
    "is_manual",
    "parent_id",
    "source",
]
DAY_COLUMNS = [
    "athlete_id",
    "day",
    "resting_hr_bpm",
    "hrv_ms",
    "sleep_s",
    "stress_avg",
    "body_battery_max",
    "body_battery_min",
    "steps",
    "weight_kg",
]
READING_COLUMNS = ["athlete_id", "day", "sport", "vo2max", "is_precise", "activity_vo2max", "device"]


@dataclass(frozen=True)
class Frames:
    activities: pd.DataFrame
    days: pd.DataFrame
    vo2max: pd.DataFrame

    def until(self, day: pd.Timestamp) -> "Frames":
        return Frames(*(frame[frame["day"] <= day] for frame in (self.activities, self.days, self.vo2max)))


def frame(columns: list[str], rows: list[dict]) -> pd.DataFrame:
    made = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns)
    made["day"] = pd.to_datetime(made["day"])
    return made


def frames(activities=(), days=(), vo2max=()) -> Frames:
    def own(rows):
        return [{"athlete_id": "x", **row} for row in rows]

    numbered = [{"activity_id": str(index), **row} for index, row in enumerate(own(activities))]
    return Frames(frame(ACTIVITY_COLUMNS, numbered), frame(DAY_COLUMNS, own(days)), frame(READING_COLUMNS, own(vo2max)))


@pytest.fixture
def make():
    return frames


def random_frames(seed: int, length_days: int = 150) -> Frames:
    """A life with gaps, both sports, missing heart rates and loads, days without the watch."""
    rng = np.random.default_rng(seed)
    calendar = pd.date_range("2024-01-01", periods=length_days)
    away = rng.integers(20, length_days - 30)
    worn = [day for index, day in enumerate(calendar) if not away <= index < away + 20]
    activities = [
        {
            "day": day,
            "sport": rng.choice(["running", "cycling", "walking", "trail_running"]),
            "duration_s": float(rng.integers(600, 7200)),
            "avg_hr_bpm": rng.choice([np.nan, 120.0, 150.0]),
            "max_hr_bpm": rng.choice([np.nan, 170.0, 195.0]),
            "training_load": rng.choice([np.nan, 60.0, 140.0]),
        }
        for day in worn
        if rng.random() < 0.5
    ]
    days = [
        {"day": day, "resting_hr_bpm": float(rng.integers(45, 60)), "hrv_ms": float(rng.integers(30, 90))}
        for day in worn
        if rng.random() < 0.8
    ]
    vo2max = [
        {
            "day": day,
            "sport": rng.choice(["running", "cycling"]),
            "vo2max": float(rng.integers(45, 55)),
            "is_precise": False,
            "activity_vo2max": rng.choice([np.nan, 49.0, 52.0]),
        }
        for day in worn
        if rng.random() < 0.3
    ]
    return frames(activities, days, vo2max)
