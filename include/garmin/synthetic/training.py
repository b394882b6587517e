"""What a synthetic athlete does on each day: blocks, races, illness, holidays, injuries, rest days."""

from dataclasses import dataclass

import numpy as np

from include.garmin.synthetic.chance import Bools, Chance, Floats, Ints
from include.garmin.synthetic.profile import Profile

_WEEKS_OF_A_BLOCK = np.array([0.9, 1.05, 1.2, 0.65])
_LONG_DAY, _HARD_DAYS = 6, (1, 3)
_NOON_S = 12 * 3600


@dataclass(frozen=True)
class Session:
    """One training slot of every day: where `happens`, its minutes and its intensity (share of heart-rate reserve)."""

    happens: Bools
    minutes: Floats
    intensity: Floats
    sport: Ints
    """Index into the sports of the slot."""
    is_manual: Bools
    start_s: Ints

    def load(self) -> Floats:
        """Training load (Banister's TRIMP) of each day's session."""
        return np.where(self.happens, trimp(self.minutes, self.intensity), 0.0)


@dataclass(frozen=True)
class Training:
    """All days from the epoch on."""

    run: Session
    other: Session
    is_ill: Bools
    is_race: Bools
    wears_watch: Bools


def trimp(minutes: Floats, intensity: Floats) -> Floats:
    """Banister's training impulse: minutes weighted by intensity, as lactate rises with it."""
    return minutes * intensity * 0.64 * np.exp(1.92 * intensity)


def train(profile: Profile, chance: Chance, days: int) -> Training:
    """The training of the first `days` days."""
    u = chance.uniform(1, days, 16)
    z = chance.normal(1, days, 4)
    weekday = np.arange(days) % 7
    ill = _episodes(chance, 2, days, period=91, rate=0.35, shortest=4, longest=12)
    holiday = _episodes(chance, 3, days, period=182, rate=0.45, shortest=6, longest=20)
    injured = _episodes(chance, 4, days, period=365, rate=0.4, shortest=18, longest=50)
    race_days = _race_days(chance, days + 10)
    race = np.isin(np.arange(days), race_days)
    volume = _volume(profile, chance, days, race_days)
    away = ill | injured
    run = _runs(profile, u, z, weekday, volume, np.where(away, 0.0, np.where(holiday, 0.15, 1.0)), race)
    other = _others(profile, u, z, volume, np.where(ill | (injured & (u[:, 12] < 0.7)) | race, 0.0, 1.0), run)
    wears_watch = (u[:, 13] > 0.02) & ~(holiday & (u[:, 14] < 0.3))
    return Training(run, other, ill, race, wears_watch)


def _runs(
    profile: Profile, u: Floats, z: Floats, weekday: Ints, volume: Floats, presence: Floats, race: Bools
) -> Session:
    wants = np.full(7, profile.runs_per_week / 7)
    wants[_LONG_DAY] *= 1.5
    wants[0] *= 0.4
    rate = np.minimum(wants[weekday] * np.clip(volume, 0.3, 1.4) * presence, 0.97)
    happens = (u[:, 0] < rate) | race
    is_long = weekday == _LONG_DAY
    is_hard = np.isin(weekday, _HARD_DAYS) & (u[:, 1] < 0.6)
    minutes = profile.run_min * volume * np.where(is_long, 1.7, np.where(is_hard, 0.95, 1.0)) * np.exp(0.18 * z[:, 0])
    minutes = np.where(race, 45 + 150 * u[:, 2] ** 2, np.clip(minutes, 12, 240))
    intensity = np.where(is_hard, 0.8, np.where(is_long, 0.68, 0.7)) + 0.035 * z[:, 1]
    intensity = np.clip(np.where(race, 0.9 - 0.0006 * minutes, intensity), 0.45, 0.94)
    sport = np.where(
        race, 0, np.where(u[:, 3] < profile.trail_share, 1, np.where(u[:, 3] > 1 - profile.treadmill_share, 2, 0))
    )
    return Session(happens, minutes, intensity, sport, (u[:, 4] < 0.02) & ~race, _start(u[:, 5], is_long))


def _others(profile: Profile, u: Floats, z: Floats, volume: Floats, presence: Floats, run: Session) -> Session:
    happens = u[:, 6] < np.minimum(profile.others_per_week / 7 * np.clip(volume, 0.5, 1.2) * presence, 0.9)
    sport = (u[:, 7] * len(profile.other_sports)).astype(np.int64)
    is_ride = np.array([name.endswith("cycling") for name in profile.other_sports])[sport]
    minutes = np.clip(np.where(is_ride, 75.0, 45.0) * np.exp(0.25 * z[:, 2]), 10, 300)
    easiest = {"walking": 0.3, "strength_training": 0.42, "lap_swimming": 0.58}
    intensity = np.array([easiest.get(name, 0.64) for name in profile.other_sports])[sport] + 0.04 * z[:, 3]
    return Session(
        happens, minutes, np.clip(intensity, 0.2, 0.85), sport, u[:, 8] < 0.06, _start_apart(u[:, 9], run.start_s)
    )


def _start(u: Floats, is_long: Bools | bool = False) -> Ints:
    """Second of the day: before work or after it, long ones in the morning."""
    hours = np.where(is_long, 8.0 + 2 * u, np.where(u < 0.45, 6.0 + 3 * u, 15.5 + 4 * u))
    return (hours * 3600).astype(np.int64)


def _start_apart(u: Floats, run_start_s: Ints) -> Ints:
    """Second of the day in the half of it that has no run: nobody trains twice at once."""
    return (np.where(run_start_s < _NOON_S, 15.5 + 4 * u, 6.0 + 3 * u) * 3600).astype(np.int64)


def _volume(profile: Profile, chance: Chance, days: int, race_days: list[int]) -> Floats:
    """Multiple of the athlete's ordinary training: season, slow wander, blocks of four weeks, taper and recovery."""
    now = np.arange(days)
    quarters = days // 91 + 2
    wander = 0.28 * chance.normal(5, quarters, 1)[:, 0]
    season = 0.15 * np.sin(2 * np.pi * (now / 365.25 + profile.resting_hr_bpm % 1))
    volume = np.exp(season + np.interp(now / 91, np.arange(quarters), wander))
    volume *= _WEEKS_OF_A_BLOCK[(now // 7) % 4]
    for day in race_days:
        volume[max(day - 10, 0) : day] *= 0.6
        volume[day + 1 : day + 11] *= 0.5
    return volume


def _race_days(chance: Chance, days: int) -> list[int]:
    """Sundays, at most one in a half-year. Races ahead count too: who races next week tapers today."""
    races = []
    for half_year, (whether, when) in enumerate(chance.uniform(6, days // 182 + 1, 2)):
        day = half_year * 182 + 28 + int(when * 20) * 7 + 6
        if whether < 0.75 and day < days:
            races.append(day)
    return races


def _episodes(
    chance: Chance, stream: int, days: int, *, period: int, rate: float, shortest: int, longest: int
) -> Bools:
    """At most one episode in each period, wholly inside it."""
    within = np.zeros(days, dtype=bool)
    for number, (whether, when, length) in enumerate(chance.uniform(stream, days // period + 1, 3)):
        if whether < rate:
            lasts = int(shortest + length * (longest - shortest))
            start = number * period + int(when * (period - lasts))
            within[start : start + lasts] = True
    return within
