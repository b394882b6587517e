"""Garmin's response shapes, filled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Wellness:
    """What the watch tells of one worn day."""

    day: str
    resting_hr_bpm: int
    hrv_ms: int
    deep_s: int
    light_s: int
    rem_s: int
    stress: int
    battery_high: int
    battery_low: int
    steps: int

    @property
    def sleep_s(self) -> int:
        return self.deep_s + self.light_s + self.rem_s


def body(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def user_summary(day: date, wellness: Wellness | None) -> Json:
    """`usersummary/daily`: nulls for a day without watch, or not synced yet."""
    return {
        "calendarDate": day.isoformat(),
        "totalSteps": wellness and wellness.steps,
        "dailyStepGoal": 10000,
        "includesWellnessData": wellness is not None,
        "restingHeartRate": wellness and wellness.resting_hr_bpm,
        "averageStressLevel": wellness and wellness.stress,
        "bodyBatteryHighestValue": wellness and wellness.battery_high,
        "bodyBatteryLowestValue": wellness and wellness.battery_low,
        "sleepingSeconds": wellness and wellness.sleep_s,
        "source": "GARMIN",
    }


def daily_sleep(day: date, wellness: Wellness | None) -> Json:
    """`sleep/dailySleepData`."""
    return {
        "dailySleepDTO": {
            "calendarDate": day.isoformat(),
            "sleepTimeSeconds": wellness and wellness.sleep_s,
            "deepSleepSeconds": wellness and wellness.deep_s,
            "lightSleepSeconds": wellness and wellness.light_s,
            "remSleepSeconds": wellness and wellness.rem_s,
        },
        "remSleepData": wellness is not None or None,
        "restingHeartRate": wellness and wellness.resting_hr_bpm,
    }


def uds_day(wellness: Wellness) -> Json:
    """A row of the export's `UDSFile`."""
    return {
        "calendarDate": wellness.day,
        "totalSteps": wellness.steps,
        "restingHeartRate": wellness.resting_hr_bpm,
        "allDayStress": {"aggregatorList": [{"type": "TOTAL", "averageStressLevel": wellness.stress}]},
        "bodyBattery": {
            "bodyBatteryStatList": [
                {"bodyBatteryStatType": "HIGHEST", "statsValue": wellness.battery_high},
                {"bodyBatteryStatType": "LOWEST", "statsValue": wellness.battery_low},
            ]
        },
    }


def export_sleep(wellness: Wellness) -> Json:
    """A row of the export's `sleepData`."""
    return {
        "calendarDate": wellness.day,
        "sleepWindowConfirmationType": "ENHANCED_CONFIRMED_FINAL",
        "deepSleepSeconds": wellness.deep_s,
        "lightSleepSeconds": wellness.light_s,
        "remSleepSeconds": wellness.rem_s,
    }


def hrv_day(wellness: Wellness) -> Json:
    return {"hrvSummary": _hrv(wellness), "hrvReadings": []}


def hrv_range(days: Sequence[Wellness]) -> Json:
    return {"hrvSummaries": [_hrv(day) for day in days]}


def _hrv(wellness: Wellness) -> Json:
    return {"calendarDate": wellness.day, "lastNightAvg": wellness.hrv_ms, "status": "BALANCED"}


def max_metrics_row(day: str, running: float | None, cycling: float | None) -> Json:
    """A row of `maxmet/daily`: only on days on which Garmin recomputed."""
    return {
        "generic": _max_met(day, running),
        "cycling": _max_met(day, cycling),
        "heatAltitudeAcclimation": None,
    }


def _max_met(day: str, value: float | None) -> Json | None:
    if value is None:
        return None
    return {
        "calendarDate": day,
        "vo2MaxPreciseValue": value,
        "vo2MaxValue": float(int(value + 0.5)),
        "fitnessAge": None,
        "maxMetCategory": 0,
    }


def activity(
    *,
    activity_id: int,
    type_key: str,
    start_local: datetime,
    utc_offset_h: int,
    measures: Json,
    is_manual: bool,
    device_id: int,
) -> Json:
    """An item of the activity list; `measures` holds what the watch measured."""
    start_utc = start_local - timedelta(hours=utc_offset_h)
    return {
        "activityId": activity_id,
        "startTimeLocal": start_local.isoformat(" "),
        "startTimeGMT": start_utc.isoformat(" "),
        "activityType": {"typeKey": type_key},
        "eventType": {"typeId": 9, "typeKey": "uncategorized"},
        **measures,
        "deviceId": 0 if is_manual else device_id,
        "manualActivity": is_manual,
        "parent": False,
        "parentId": None,
    }
