"""A digest of what the features and the model's inputs say of a made-up athlete: it changes when their meaning does."""

import hashlib
from datetime import date, timedelta

import numpy as np

from include.curate.tables import Tables, to_frame
from include.features.build import build_features
from include.features.schema import NAMES
from include.forecast.design import design_matrix
from include.forecast.methods import damped_drift
from include.forecast.rows import volatility_of
from include.forecast.volatility import Pooling

_DAYS = 400
_FIRST = date(2024, 1, 1)
_HORIZON_DAYS = 28.0
_DECIMALS = 4
"""Rounding in other orders of addition, as other machines have, must not show."""


def feature_fingerprint() -> str:
    """SHA-256 of an athlete's features, of the core's inputs and of the drift, on every day with a reading."""
    rows = build_features(_athlete())
    features = rows.loc[rows["vo2max_last"].notna(), list(NAMES)].to_numpy(dtype=float)
    horizon = np.full(len(features), _HORIZON_DAYS)
    inputs = design_matrix(features, horizon, volatility_of(features, Pooling()))
    everything = np.column_stack([np.nan_to_num(features, nan=-1.0), inputs, damped_drift(features, horizon)])
    return hashlib.sha256((np.round(everything, _DECIMALS) + 0.0).tobytes()).hexdigest()


def _athlete() -> Tables:
    """Runs and rides, readings after some of them, and nights: by arithmetic, without chance."""
    days = [_FIRST + timedelta(days=number) for number in range(_DAYS)]
    activities = [
        {
            "athlete_id": "made-up",
            "activity_id": str(number),
            "started_at_utc": f"{day}T06:00:00",
            "day": f"{day}",
            "sport": "cycling" if number % 5 == 0 else "running",
            "duration_s": 1800.0 + 60 * (number % 41),
            "distance_m": 6000.0 + 100 * (number % 37),
            "avg_speed_mps": 2.5 + 0.01 * (number % 29),
            "avg_hr_bpm": 130.0 + number % 31,
            "max_hr_bpm": 175.0,
            "training_load": 60.0 + number % 53 if number % 3 else None,
        }
        for number, day in enumerate(days)
        if number % 7 not in (2, 5)
    ]
    readings = [
        {
            "athlete_id": "made-up",
            "day": f"{day}",
            "sport": "running",
            "vo2max": 48.0 + (number % 90) / 15 - (number % 17) / 10,
            "is_precise": True,
            "activity_vo2max": 48.0 + number % 6 if number % 4 == 0 else None,
        }
        for number, day in enumerate(days)
        if number % 3 == 0
    ]
    nights = [
        {"athlete_id": "made-up", "day": f"{day}", "resting_hr_bpm": 48.0 + number % 7, "hrv_ms": 60.0 + number % 13}
        for number, day in enumerate(days)
    ]
    return Tables(to_frame("activities", activities), to_frame("days", nights), to_frame("vo2max", readings))
