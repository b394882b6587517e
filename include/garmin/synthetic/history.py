"""A synthetic athlete's life as the items and rows that Garmin would hold of it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from include.garmin.synthetic import responses
from include.garmin.synthetic.chance import EPOCH, Bools, Chance, Floats, day_number
from include.garmin.synthetic.fitness import Fitness, become_fit
from include.garmin.synthetic.profile import Profile
from include.garmin.synthetic.responses import Json, Wellness
from include.garmin.synthetic.training import Session, Training, train, trimp

RUNS = ("running", "trail_running", "treadmill_running")
_ZONES = np.arange(1, 6)


@dataclass(frozen=True)
class History:
    """All days from the epoch to today, of which the last two may not be synced yet."""

    profile: Profile
    training: Training
    fitness: Fitness
    chance: Chance
    lag_days: Floats

    def activities(self, first: date, last: date) -> list[Json]:
        """Items of the activity list, oldest first."""
        days = np.arange(day_number(first), day_number(last) + 1)
        days = days[self._is_synced[days]]
        items = self._items(self.training.run, RUNS, days, 0) + self._items(
            self.training.other, self.profile.other_sports, days, 1
        )
        return sorted(items, key=lambda item: (item["startTimeLocal"], item["activityId"]))

    def wellness(self, day: date) -> Wellness | None:
        """The worn day; None without watch, not synced yet, or today, which is not over."""
        number = day_number(day)
        if number >= len(self.lag_days) - 1 or not self._is_synced[number] or not self.training.wears_watch[number]:
            return None
        return Wellness(day.isoformat(), *self._wellness[number])

    def max_metrics(self, first: date, last: date) -> list[Json]:
        """Rows of `maxmet/daily`; none for athletes whose watch tells whole numbers with the activity alone."""
        if not self.profile.is_precise:
            return []
        rows = []
        for number in range(day_number(first), day_number(last) + 1):
            running, cycling = _told(self.fitness.running_reading[number]), _told(self.fitness.cycling_reading[number])
            if self._is_synced[number] and (running is not None or cycling is not None):
                day = (EPOCH + timedelta(days=number)).isoformat()
                rows.append(responses.max_metrics_row(day, running, cycling))
        return rows

    @cached_property
    def _is_synced(self) -> Bools:
        age = len(self.lag_days) - 1 - np.arange(len(self.lag_days))
        return age >= self.lag_days

    @cached_property
    def _wellness(self) -> list[list[int]]:
        """Resting heart rate, HRV, deep, light and REM sleep, stress, body battery high and low, steps, by day."""
        days = len(self.lag_days)
        z = self.chance.normal(10, days, 8)
        fitness, ill = self.fitness, self.training.is_ill
        form = fitness.fitness_load - fitness.fatigue_load
        resting = self.profile.resting_hr_bpm + 6 * ill - 0.06 * form - 0.05 * fitness.fitness_load + 1.2 * z[:, 0]
        hrv = self.profile.hrv_ms * np.exp(0.004 * form - 0.18 * ill + 0.09 * z[:, 1])
        deep, light, rem = (np.clip(hours + spread * z[:, column], 0.3, 8) * 3600 // 60 * 60 for hours, spread, column
                            in ((1.2, 0.25, 2), (4.3, 0.6, 3), (1.6, 0.35, 4)))  # fmt: skip
        stress = np.clip(30 - 0.2 * form + 12 * ill + 5 * z[:, 5], 5, 95)
        high = np.clip(85 + 0.3 * form - 20 * ill + 8 * z[:, 6], 20, 100)
        run_steps = np.where(self.training.run.happens, self.training.run.minutes * 160, 0)
        steps = np.clip(7000 + 2500 * z[:, 7], 500, None) + run_steps
        columns = (resting, hrv, deep, light, rem, stress, high, np.clip(high - 60, 5, 40), steps)
        rows: list[list[int]] = np.round(np.stack(columns, axis=1)).astype(np.int64).tolist()
        return rows

    def _items(self, session: Session, sports: tuple[str, ...], days: np.ndarray[Any, Any], slot: int) -> list[Json]:
        """One slot's activities. Without the watch on nothing is recorded, unless typed in by hand."""
        days = days[session.happens[days] & (self.training.wears_watch[days] | session.is_manual[days])]
        profile, measured = self.profile, self._measures(session, sports, days, slot)
        return [
            responses.activity(
                activity_id=10_000_000_000 + profile.number * 1_000_000 + number * 10 + slot,
                type_key=sports[int(session.sport[number])],
                start_local=datetime.combine(EPOCH + timedelta(days=number), time())
                + timedelta(seconds=int(session.start_s[number])),
                utc_offset_h=profile.utc_offset_h,
                measures=measures,
                is_manual=bool(session.is_manual[number]),
                device_id=3_300_000_000 + profile.number * 100 + int(self.fitness.device[number]),
            )
            for number, measures in zip(days.tolist(), measured, strict=True)
        ]

    def _measures(self, session: Session, sports: tuple[str, ...], days: np.ndarray[Any, Any], slot: int) -> list[Json]:
        minutes, intensity = session.minutes[days], session.intensity[days]
        names = np.array(sports)[session.sport[days]]
        noise = self.chance.normal(11 + slot, len(self.lag_days), 3)[days]
        profile, load = self.profile, trimp(minutes, intensity)
        speed = _speed(names, self.fitness.vo2max[days], intensity) * np.exp(0.03 * noise[:, 0])
        seconds = np.round(minutes * 60, 3)
        reserve = profile.max_hr_bpm - profile.resting_hr_bpm
        hr = profile.resting_hr_bpm + reserve * np.clip(intensity + 0.01 * noise[:, 1], 0.2, 0.97)
        measured = {
            "distance": np.round(speed * seconds, 2),
            "duration": seconds,
            "averageSpeed": np.round(speed, 3),
            "calories": np.round(minutes * (1.5 + 15 * intensity * self.fitness.vo2max[days] / 50)),
            "elevationGain": np.round(speed * seconds * _climb(names) * np.exp(0.4 * noise[:, 2]), 1),
            "averageHR": np.round(hr),
            "maxHR": np.round(np.minimum(hr + 0.13 * reserve, profile.max_hr_bpm)),
            "aerobicTrainingEffect": np.round(5 * (1 - np.exp(-load / 95)), 1),
            "anaerobicTrainingEffect": np.round(np.clip((intensity - 0.72) * 12, 0, 4), 1),
            "vO2MaxValue": self._told_with(slot)[days],
        }
        if profile.has_load:
            measured["activityTrainingLoad"] = np.round(load, 3)
            shares = np.exp(-(((_ZONES - (intensity[:, None] * 10 - 4.5)) / 0.8) ** 2))
            zones = np.round(shares / shares.sum(axis=1, keepdims=True) * seconds[:, None], 3)
            measured |= {f"hrTimeInZone_{zone}": zones[:, zone - 1] for zone in range(1, 6)}
        rows = [
            dict(zip(measured, values, strict=True))
            for values in zip(*(column.tolist() for column in measured.values()), strict=True)
        ]
        return [
            _typed_in(row) if is_manual else _cleaned(row)
            for row, is_manual in zip(rows, session.is_manual[days].tolist(), strict=True)
        ]

    def _told_with(self, slot: int) -> Floats:
        """The VO2max that a slot's activities carry, by day: whole numbers. In the second only rides have any."""
        return np.floor((self.fitness.running_reading if slot == 0 else self.fitness.cycling_reading) + 0.5)


def live(profile: Profile, chance: Chance, today: date) -> History:
    """The athlete's life from the epoch to `today`."""
    days = day_number(today) + 1
    training = train(profile, chance, days)
    late = chance.uniform(13, days, 1)[:, 0]
    lag_days = np.where(late < 0.06, 2.0, np.where(late < 0.2, 1.0, 0.0))
    return History(profile, training, become_fit(profile, training, chance), chance, lag_days)


def _told(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _typed_in(row: Json) -> Json:
    """An activity typed in by hand has no more than its length."""
    return {name: row[name] for name in ("distance", "duration", "averageSpeed", "calories")}


def _cleaned(row: Json) -> Json:
    """JSON has no NaN, and Garmin leaves out what an activity does not have."""
    return {name: value for name, value in row.items() if value == value}  # noqa: PLR0124 - NaN differs from itself


def _speed(names: np.ndarray[Any, Any], vo2max: Floats, intensity: Floats) -> Floats:
    """m/s: running by the ACSM equation (3.5 + 0.2 per m/min), the others by rule of thumb."""
    running = np.clip((vo2max * (intensity * 0.85 + 0.1) - 3.5) / 0.2 / 60, 1.2, 6.5)
    factor = {"trail_running": 0.8, "cycling": 2.4, "indoor_cycling": 2.4, "walking": 0.55, "lap_swimming": 0.32}
    share: Floats = np.array([0.0 if name == "strength_training" else factor.get(name, 1.0) for name in names.tolist()])
    return running * share


def _climb(names: np.ndarray[Any, Any]) -> Floats:
    """Metres of climb per metre."""
    flat = {"trail_running": 0.032, "treadmill_running": 0.0, "indoor_cycling": 0.0, "lap_swimming": 0.0}
    return np.array([flat.get(name, 0.008) for name in names.tolist()])
