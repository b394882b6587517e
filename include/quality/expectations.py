"""What must hold of each row of each table. A limit is what no watch and no athlete passes, not what is usual."""

from collections.abc import Mapping
from dataclasses import dataclass

from include.curate.tables import KEYS, SPORTS, VO2MAX_SPORTS


@dataclass(frozen=True)
class Between:
    """A number, where it is known, lies from `low` to `high`."""

    column: str
    low: float
    high: float

    @property
    def reason(self) -> str:
        return f"{self.column} outside {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Known:
    """A value is not missing."""

    column: str

    @property
    def reason(self) -> str:
        return f"{self.column} missing"


@dataclass(frozen=True)
class OneOf:
    """A value, where it is known, is in the list."""

    column: str
    values: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"{self.column} not one of {', '.join(self.values)}"


@dataclass(frozen=True)
class UniqueTogether:
    """No two rows share these columns."""

    columns: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"not unique by {', '.join(self.columns)}"


Rule = Between | Known | OneOf | UniqueTogether

DAY_S = 86_400

RULES: Mapping[str, tuple[Rule, ...]] = {
    "activities": (
        UniqueTogether(KEYS["activities"]),
        Known("activity_id"),
        Known("day"),
        OneOf("sport", SPORTS),
        Between("duration_s", 0, 3 * DAY_S),
        Between("distance_m", 0, 1_500_000),
        Between("elevation_gain_m", 0, 20_000),
        Between("avg_speed_mps", 0, 60),
        Between("avg_hr_bpm", 25, 250),
        Between("max_hr_bpm", 25, 250),
        Between("avg_power_w", 0, 2_500),
        Between("energy_kcal", 0, 30_000),
        Between("training_load", 0, 3_000),
        Between("aerobic_te", 0, 5),
        Between("anaerobic_te", 0, 5),
        *(Between(f"hr_zone_{zone}_s", 0, 3 * DAY_S) for zone in range(1, 6)),
    ),
    "days": (
        UniqueTogether(KEYS["days"]),
        Known("day"),
        Between("resting_hr_bpm", 20, 150),
        Between("hrv_ms", 1, 400),
        Between("sleep_s", 0, DAY_S),
        Between("stress_avg", 0, 100),
        Between("body_battery_max", 0, 100),
        Between("body_battery_min", 0, 100),
        Between("steps", 0, 200_000),
        Between("weight_kg", 20, 350),
    ),
    "vo2max": (
        UniqueTogether(KEYS["vo2max"]),
        Known("day"),
        OneOf("sport", VO2MAX_SPORTS),
        Known("vo2max"),
        Between("vo2max", 15, 95),
        Between("activity_vo2max", 15, 95),
    ),
}

REJECTED_SHARE_MAX = 0.2
"""More rejected rows than this in a table say that the whole table is wrong (a unit, a parser), not single rows."""
REJECTED_ROWS_MIN = 10
"""So few rejected rows never condemn a table, however small it is."""
