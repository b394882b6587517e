"""Race times from VO2max (standard library alone).

Source: J. Daniels and J. Gilbert, "Oxygen Power: Performance Tables for Distance Runners" (1979). Their two formulas:
the oxygen cost of running at v m/min, and the share of VO2max that can be held for t minutes. The time over a distance
is where cost = share × VO2max. A watch's VO2max is an estimate (3–10 % off the laboratory), hence a range.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

SOURCE = "Daniels & Gilbert 1979"
DISTANCES_M = {"5k": 5000.0, "10k": 10000.0, "half_marathon": 21097.5, "marathon": 42195.0}
VO2MAX_RANGE = (15.0, 95.0)


def oxygen_cost(speed_m_per_min: float) -> float:
    """Oxygen uptake (ml/kg/min) of running at a speed."""
    return -4.60 + 0.182258 * speed_m_per_min + 0.000104 * speed_m_per_min**2


def sustainable_share(minutes: float) -> float:
    """Share of VO2max that can be held for so long."""
    return 0.8 + 0.1894393 * math.exp(-0.012778 * minutes) + 0.2989558 * math.exp(-0.1932605 * minutes)


def race_time_s(vo2max: float, distance_m: float) -> float:
    """Seconds over a distance.

    Raises:
        ValueError: a VO2max outside VO2MAX_RANGE (ml/kg/min), or a distance that is not positive.
    """
    low, high = VO2MAX_RANGE
    if not low <= vo2max <= high:
        raise ValueError(f"vo2max {vo2max} is outside {low:g} to {high:g} ml/kg/min")
    if not distance_m > 0:
        raise ValueError(f"distance {distance_m} m is not positive")
    shortest, longest = distance_m / 600.0, distance_m / 30.0
    for _ in range(60):
        minutes = (shortest + longest) / 2.0
        demand = oxygen_cost(distance_m / minutes) - sustainable_share(minutes) * vo2max
        shortest, longest = (minutes, longest) if demand > 0 else (shortest, minutes)
    return 60.0 * (shortest + longest) / 2.0


def race_times(sport: str, predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Race times that the last of an athlete's predictions stands for, from its 80 % band; whole seconds.

    `{"source", "horizon_days", "races": [{"race", "distance_m", "fastest_s", "expected_s", "slowest_s"}, …]}`; None for
    another sport than running, without predictions, or where the band leaves VO2MAX_RANGE.
    """
    if sport != "running" or not predictions:
        return None
    last = max(predictions, key=lambda prediction: prediction["horizon_days"])
    low, high = VO2MAX_RANGE
    if not (low <= last["low_80"] and last["high_80"] <= high):
        return None
    races = [
        {
            "race": name,
            "distance_m": distance_m,
            "fastest_s": round(race_time_s(last["high_80"], distance_m)),
            "expected_s": round(race_time_s(last["vo2max"], distance_m)),
            "slowest_s": round(race_time_s(last["low_80"], distance_m)),
        }
        for name, distance_m in DISTANCES_M.items()
    ]
    return {"source": SOURCE, "horizon_days": last["horizon_days"], "races": races}
