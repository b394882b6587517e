"""What no watch and no athlete passes, by sport, and from which share on a fault stops an athlete: the thresholds.

A limit is what the longest, highest and fastest that people record with a watch stays within, and not what is usual. A
value beyond it was not measured (255 beats are a device's word for "none"): the value is left out, and its row stays.
"""

from collections.abc import Mapping
from enum import StrEnum

Range = tuple[float, float]


class Severity(StrEnum):
    """What a failed check does."""

    STOP = "stop"
    """The athlete's data would mislead the forecast: the athlete fails, with the reason."""
    QUARANTINE = "quarantine"
    """The row or the value is left out and kept in quarantine; everything else goes on."""


ANY = "any"
"""Every sport that has no limit of its own."""
DAY_S = 86_400

LIMITS: Mapping[str, Mapping[str, Mapping[str, Range]]] = {
    "activities": {
        # A winter race over 268 miles takes a week, the Tour Divide two; an ocean is sailed in a month.
        "duration_s": {
            ANY: (0, 14 * DAY_S),
            "multisport": (0, 31 * DAY_S),
            "other": (0, 31 * DAY_S),
        },
        # 1 036 km on foot in six days, 4 900 km across America by bike, ten Ironmen in a row, half the globe by air.
        "distance_m": {
            ANY: (0, 1_500_000),
            "cycling": (0, 6_000_000),
            "swimming": (0, 300_000),
            "multisport": (0, 6_000_000),
            "other": (0, 25_000_000),
        },
        # 24 000 m in the Tor des Géants, 60 000 m in the Tour Divide; lifts and aircraft climb without end.
        "elevation_gain_m": {
            ANY: (0, 40_000),
            "cycling": (0, 100_000),
            "multisport": (0, 100_000),
            "other": (0, 300_000),
        },
        # A sprinter's 100 m at 10.4 m/s; behind a pace car; an airliner with the jet stream at its back.
        "avg_speed_mps": {
            ANY: (0, 14),
            "cycling": (0, 50),
            "swimming": (0, 5),
            "multisport": (0, 50),
            "other": (0, 400),
        },
        "avg_hr_bpm": {ANY: (20, 250)},
        "max_hr_bpm": {ANY: (20, 250)},
        "avg_power_w": {ANY: (0, 3_000)},
        # 10 000 kcal a day for two weeks.
        "energy_kcal": {ANY: (0, 150_000)},
        # A hundred miles through mountains are told as some 1 500.
        "training_load": {ANY: (0, 6_000)},
        "aerobic_te": {ANY: (0, 5)},
        "anaerobic_te": {ANY: (0, 5)},
        **{f"hr_zone_{zone}_s": {ANY: (0, 31 * DAY_S)} for zone in range(1, 6)},
    },
    "days": {
        "resting_hr_bpm": {ANY: (20, 150)},
        "hrv_ms": {ANY: (1, 400)},
        # A day on which the clock is set back has 25 hours.
        "sleep_s": {ANY: (0, 25 * 3600)},
        "stress_avg": {ANY: (0, 100)},
        "body_battery_max": {ANY: (0, 100)},
        "body_battery_min": {ANY: (0, 100)},
        # 300 km in a day.
        "steps": {ANY: (0, 400_000)},
        "weight_kg": {ANY: (10, 650)},
    },
    "vo2max": {
        # A patient's heart, and the highest that was ever measured in a laboratory: 97.5.
        "vo2max": {ANY: (10, 100)},
        "activity_vo2max": {ANY: (10, 100)},
    },
}

FORECAST_VALUES: Mapping[str, tuple[str, ...]] = {"activities": ("duration_s", "training_load")}
"""Columns without which training would be taken for rest: left out in too many rows, they stop the athlete.

A VO2max that is left out costs its row, and counts with the rows."""

STOP_SHARE = 0.2
"""More rejected rows of a table, values of a column or items that nobody could read say that a unit or a parser is
wrong, and not single rows."""
STOP_ROWS = 10
"""So few never stop an athlete, unless nothing else was read."""
SAMPLE_ROWS = 3
"""So many rows a failed check names."""
