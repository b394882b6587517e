"""Latent fitness that answers training, and what the watch makes of it.

Banister's idea: training leaves fitness (τ 38 d) and fatigue (τ 19 d). The response saturates, so the untrained gain
up to a fifth in 20 weeks, the trained little; two to three weeks without training cost 5 to 7 %, then ever less.
"""

from dataclasses import dataclass

import numpy as np

from include.garmin.synthetic.chance import Bools, Chance, Floats, Ints
from include.garmin.synthetic.profile import Profile
from include.garmin.synthetic.training import Training

FITNESS_TAU_DAYS = 38.0
FATIGUE_TAU_DAYS = 19.0
_TRANSFER = {"strength_training": 0.15, "walking": 0.5}
_WANDER_TAU_DAYS = 120.0
_WANDER_SD = 1.1
_FILTER = 0.16
"""How far the watch moves its estimate towards what one run says."""


@dataclass(frozen=True)
class Fitness:
    """By day, from the epoch on; NaN where there is no reading."""

    fitness_load: Floats
    fatigue_load: Floats
    vo2max: Floats
    running_reading: Floats
    cycling_reading: Floats
    device: Ints
    """Which of the athlete's watches is worn."""


def ewma(values: Floats, tau_days: float, start: float) -> Floats:
    """Exponentially weighted mean of daily values, including the day itself."""
    keep = float(np.exp(-1 / tau_days))
    state, result = start, []
    for value in values.tolist():
        state = keep * state + (1 - keep) * value
        result.append(state)
    return np.array(result)


def response(profile: Profile, fitness_load: Floats, fatigue_load: Floats) -> Floats:
    """VO2max (ml/kg/min) that the load of the past weeks supports."""
    gained = profile.gain * (1 - np.exp(-fitness_load / profile.half_load))
    return profile.untrained_vo2max * (1 + gained) - 0.012 * np.maximum(fatigue_load - fitness_load, 0)


def become_fit(profile: Profile, training: Training, chance: Chance) -> Fitness:
    """The athlete's fitness and readings on every day of `training`."""
    transfer = np.array([_TRANSFER.get(name, 0.8) for name in profile.other_sports])[training.other.sport]
    load = training.run.load() + transfer * training.other.load()
    days = len(load)
    usual = profile.runs_per_week / 7 * profile.run_min
    fitness_load = ewma(load, FITNESS_TAU_DAYS, usual)
    fatigue_load = ewma(load, FATIGUE_TAU_DAYS, usual)
    z = chance.normal(7, days, 3)
    wander = ewma(z[:, 0], _WANDER_TAU_DAYS, 0.0) * _WANDER_SD * np.sqrt(2 * _WANDER_TAU_DAYS)
    vo2max = response(profile, fitness_load, fatigue_load) + wander - 2.0 * training.is_ill
    device, step = _devices(chance, days)
    u = chance.uniform(8, days, 2)
    eligible = training.run.happens & ~training.run.is_manual & training.wears_watch & (training.run.minutes >= 15)
    running = _readings(vo2max + step + profile.device_noise * z[:, 1], eligible, u[:, 0] < profile.recompute_rate)
    cycling = np.full(days, np.nan)
    if profile.has_cycling_vo2max:
        rides = np.array([name.endswith("cycling") for name in profile.other_sports])[training.other.sport]
        eligible = training.other.happens & rides & ~training.other.is_manual & training.wears_watch
        cycling = _readings(vo2max + 3.0 + profile.device_noise * z[:, 2], eligible, u[:, 1] < 0.6)
    steps = 10.0 if profile.is_precise else 1.0
    return Fitness(
        fitness_load, fatigue_load, vo2max, np.round(running * steps) / steps, np.round(cycling * steps) / steps, device
    )


def _readings(raw: Floats, eligible: Bools, is_told: Bools) -> Floats:
    """The watch's filtered estimate, on the days on which it tells it."""
    readings = np.full(len(raw), np.nan)
    estimate: float | None = None
    for day in np.flatnonzero(eligible):
        estimate = float(raw[day]) if estimate is None else estimate + _FILTER * (float(raw[day]) - estimate)
        if is_told[day]:
            readings[day] = estimate
    return readings


def _devices(chance: Chance, days: int) -> tuple[Ints, Floats]:
    """Which watch is worn, and the step that it or its firmware puts on readings: now and then a new one."""
    device = np.zeros(days, dtype=np.int64)
    step = np.zeros(days)
    for number, (whether, when, size) in enumerate(chance.uniform(9, days // 900 + 1, 3)):
        start = number * 900 + int(when * 900)
        if whether < 0.6:
            device[start:] += 1
            step[start:] = 2.4 * (size - 0.5)
    return device, step
