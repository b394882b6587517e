"""Items of an account export made by hand, in the export's own units (centimetres, milliseconds, kJ, 10 m/s).

Every value follows from the item's day or number, so that a test can say what must come out.
"""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

Json = dict[str, Any]


def epoch_ms(day: date, hour: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp() * 1000)


def activity(number: int, day: date, vo2max: float | None = 50.0, hour: int = 8, **more: Any) -> Json:
    """A run at 08:00 local, two hours ahead of UTC: an hour, 10 km, 80 m up, 600 kcal."""
    item: Json = {
        "activityId": 9_000_000 + number,
        "uuidMsb": 4_611_686_018_427_387_904 + number,
        "name": f"Löpning {number}",
        "activityType": "running",
        "userProfileId": 1,
        "timeZoneId": 125,
        "beginTimestamp": float(epoch_ms(day, hour - 2)),
        "startTimeGmt": float(epoch_ms(day, hour - 2)),
        "startTimeLocal": float(epoch_ms(day, hour)),
        "duration": 3_600_000.0,
        "elapsedDuration": 3_700_000.0,
        "movingDuration": 3_590_000.0,
        "distance": 1_000_000.0,
        "elevationGain": 8_000.0,
        "elevationLoss": 8_000.0,
        "avgSpeed": 0.277_777_8,
        "maxSpeed": 0.412_3,
        "avgHr": 150.0,
        "maxHr": 171.0,
        "calories": 2_510.4,
        "bmrCalories": 301.248,
        "aerobicTrainingEffect": 3.4,
        "anaerobicTrainingEffect": 0.6,
        "activityTrainingLoad": 120.5,
        **{f"hrTimeInZone_{zone}": 600_000.0 * zone for zone in range(6)},
        "deviceId": 4_000_000_001,
        "parent": False,
        "purposeful": False,
        "autoCalcCalories": False,
        "favorite": False,
        "pr": False,
        "elevationCorrected": False,
        "atpActivity": False,
        "startLatitude": 0.0,
        "startLongitude": 0.0,
        "lapCount": 10,
        "avgRunCadence": 84.0,
        "maxRunCadence": 92.0,
        "steps": 10_080,
        "avgStrideLength": 99.21,
        "minTemperature": 21.0,
        "maxTemperature": 27.0,
        "rule": "private",
        **more,
    }
    return item if vo2max is None else item | {"vO2MaxValue": vo2max}


def laps(count: int, seed: int) -> list[Json]:
    """Splits whose numbers differ as measured ones do, so that they pack no better."""
    chance = random.Random(seed)
    return [
        {
            "noOfSplits": 1,
            "splitType": 3,
            "duration": chance.uniform(200_000, 400_000),
            "distance": chance.uniform(90_000, 110_000),
            "averageSpeed": chance.uniform(0.2, 0.4),
            "maxSpeed": chance.uniform(0.3, 0.5),
            "averageHR": chance.uniform(120, 160),
            "maxHR": chance.uniform(140, 180),
            "totalAscent": chance.uniform(0, 9_000),
            "elevationLoss": chance.uniform(0, 9_000),
            "numClimbSends": 0,
            "maxElevationGain": 510.0,
            "averageElevationGain": 480.0,
            "maxGradeValue": {"valueKey": "YDS", "rank": 0},
            "mode": 0,
            "numFalls": 0,
        }
        for _ in range(count)
    ]


def daily_summary(day: date, layout: str = "today") -> Json:
    """A row of a `UDSFile`."""
    told = {"date": f"{day:%b %d, %Y} 12:00:00 AM"} if layout == "2021" else day.isoformat()
    stress = {"type": "TOTAL", "averageStressLevel": 30, "averageStressLevelIntensity": 31, "maxStressLevel": 88}
    return {
        "userProfilePK": 1,
        "calendarDate": told,
        "uuid": f"{day:%Y%m%d}",
        "durationInMilliseconds": 86_400_000,
        "totalKilocalories": 2_400.0,
        "activeKilocalories": 600.0,
        "totalSteps": 9_000 + day.day,
        "dailyStepGoal": 8_000,
        "totalDistanceMeters": 7_100.0,
        "minHeartRate": 41,
        "maxHeartRate": 171,
        "restingHeartRate": 48,
        "currentDayRestingHeartRate": 47,
        "restingHeartRateTimestamp": epoch_ms(day, 22),
        "wellnessStartTimeGmt": told,
        "moderateIntensityMinutes": 20,
        "vigorousIntensityMinutes": 40,
        "floorsAscendedInMeters": 30.5,
        "allDayStress": {
            "userProfilePK": 1,
            "calendarDate": told,
            "aggregatorList": [stress, {**stress, "type": "AWAKE"}, {**stress, "type": "ASLEEP"}],
        },
        "bodyBattery": {
            "userProfilePK": 1,
            "chargedValue": 60,
            "drainedValue": 55,
            "bodyBatteryStatList": [
                {"bodyBatteryStatType": "HIGHEST", "statsValue": 90, "statTimestamp": epoch_ms(day, 6)},
                {"bodyBatteryStatType": "LOWEST", "statsValue": 20, "statTimestamp": epoch_ms(day, 22)},
            ],
        },
        "respiration": {"avgWakingRespirationValue": 15.0, "highestRespirationValue": 22.0},
        "includesWellnessData": True,
        "includesActivityData": True,
    }


def night(day: date) -> Json:
    """A row of `sleepData`: 7 hours."""
    return {
        "calendarDate": day.isoformat(),
        "sleepStartTimestampGMT": f"{day - timedelta(days=1)}T22:00:00.0",
        "sleepEndTimestampGMT": f"{day}T06:00:00.0",
        "sleepWindowConfirmationType": "ENHANCED_CONFIRMED_FINAL",
        "deepSleepSeconds": 5_400,
        "lightSleepSeconds": 14_400,
        "remSleepSeconds": 5_400,
        "awakeSleepSeconds": 1_200,
        "unmeasurableSeconds": 0,
        "averageRespiration": 14.0,
        "retro": False,
        "sleepScores": {"overallScore": 82, "qualityScore": 80, "feedback": "POSITIVE_LONG_AND_DEEP"},
    }


def health_status(day: date) -> Json:
    """A row of `healthStatusData`: HRV 60 ms."""
    return {
        "calendarDate": day.isoformat(),
        "createTimestamp": f"{day}T06:10:00.0",
        "metrics": [
            {
                "type": "HRV",
                "value": 60.0,
                "status": "IN_RANGE",
                "baselineLowerLimit": 50.0,
                "baselineUpperLimit": 70.0,
            },
            {"type": "HR", "value": 46.0, "status": "IN_RANGE"},
            {"type": "SPO2", "value": 0.0, "status": "UNKNOWN"},
        ],
    }


def weighing(day: date) -> Json:
    """A row of `userBioMetrics`: 70 kg."""
    return {
        "metaData": {"userProfilePK": 1, "calendarDate": f"{day}T07:00:00.0", "sequence": epoch_ms(day, 7)},
        "weight": {"weight": 70_000.0, "sourceType": "MFP", "timestampGMT": f"{day}T05:00:00.0"},
        "version": epoch_ms(day, 7),
    }


def max_met(day: date, met: float = 14.3, hour: int = 7) -> Json:
    """A row of `MetricsMaxMetData`: 14.3 MET, which is 50.05 (50.0 or 50.1) ml/kg/min."""
    return {
        "userProfilePK": 1,
        "deviceId": 4_000_000_001,
        "calendarDate": day.isoformat(),
        "updateTimestamp": f"{day}T{hour:02}:00:00.0",
        "sport": "RUNNING",
        "subSport": "GENERIC",
        "vo2MaxValue": round(met * 3.5),
        "maxMet": met,
        "maxMetCategory": 0,
        "calibratedData": True,
    }


def activity_vo2max(day: date) -> Json:
    return {
        "userProfilePK": 1,
        "activityId": 1,
        "calendarDate": day.isoformat(),
        "timestampGmt": f"{day}T07:00:00.0",
        "sport": "RUNNING",
        "subSport": "GENERIC",
        "vo2MaxValue": 50.0,
    }
