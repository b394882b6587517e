"""Days and VO2max readings in the shapes that Garmin gives them, as rows in the tables' units.

The resting heart rate is Garmin's of that day, whatever the source. The daily summary calls it `restingHeartRate`; in
the account export this is a figure smoothed over many days, and the day's own is `currentDayRestingHeartRate`.

A row of a sleep also carries `_asleep_from` and `_asleep_to`, by which `main_sleeps` tells a night from a nap.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from include.curate.fields import Fields

Row = dict[str, Any]

ML_KG_MIN_PER_MET = 3.5
GRAMS_PER_KG = 1000.0


def day_row(item: Fields) -> Row | None:
    """A row of a day: `usersummary/daily`, `dailyHeartRate`, `dailyStress`, an `UDSFile` or a `daily.json` row."""
    day = item.day()
    if day is None:
        return None
    battery = {str(stat.item.get("bodyBatteryStatType")): stat for stat in _battery_stats(item)}
    return {
        "day": day,
        "resting_hr_bpm": _resting_heart_rate(item),
        "hrv_ms": item.positive("hrvLastNightAvg"),
        "sleep_s": item.positive("sleepTimeSeconds"),
        "stress_avg": _stress(item),
        "body_battery_max": _first(item.positive("bodyBatteryHighestValue"), _stat(battery.get("HIGHEST"))),
        "body_battery_min": _first(item.positive("bodyBatteryLowestValue"), _stat(battery.get("LOWEST"))),
        "steps": item.number("totalSteps"),
        "weight_kg": _kilograms(item),
    }


def sleep_row(item: Fields) -> Row | None:
    """A `dailySleepDTO`, or a row of the export's `sleepData`, which tells the stages and no sum."""
    day = item.day()
    if day is None:
        return None
    stages = [item.positive(f"{stage}SleepSeconds") for stage in ("deep", "light", "rem")]
    asleep = sum(seconds for seconds in stages if seconds is not None) or None
    sleep_s = _first(item.positive("sleepTimeSeconds"), asleep)
    if sleep_s is None:
        return {"day": day, "sleep_s": None}
    return {
        "day": day,
        "sleep_s": sleep_s,
        "_asleep_from": item.moment("sleepStartTimestampGMT"),
        "_asleep_to": item.moment("sleepEndTimestampGMT"),
    }


def main_sleeps(rows: Iterable[Row]) -> list[Row]:
    """Rows of days, in order of documents, of whose sleeps the longest of each day and shape is kept.

    Of two that overlap in time the later is a correction of the earlier; so is a further answer about a day's sleep.
    A further row of an export that tells no times may be a nap.
    """
    others: list[Row] = []
    sleeps: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if "_asleep_from" in row:
            key = row["day"], row["source"]
            sleeps[key] = [*(earlier for earlier in sleeps[key] if _are_two_sleeps(earlier, row)), row]
        else:
            others.append(row)
    return others + [max(found, key=_sleep_rank) for found in sleeps.values()]


def _are_two_sleeps(one: Row, other: Row) -> bool:
    times: Sequence[datetime | None] = [row[name] for row in (one, other) for name in ("_asleep_from", "_asleep_to")]
    start, end, other_start, other_end = times
    if start is None or end is None or other_start is None or other_end is None:
        return bool(other["source"] == "export_sleep")
    return end <= other_start or other_end <= start


def _sleep_rank(row: Row) -> tuple[float, datetime]:
    return row["sleep_s"], row["_asleep_from"] or datetime.min


def hrv_row(item: Fields) -> Row | None:
    """An `hrvSummary`: the night's average."""
    day = item.day()
    return None if day is None else {"day": day, "hrv_ms": item.positive("lastNightAvg")}


def export_health_row(item: Fields) -> Row | None:
    """A row of the export's `healthStatusData`: the night's HRV in a list of metrics."""
    day = item.day()
    if day is None:
        return None
    told = {str(metric.item.get("type")): metric for metric in item.parts("metrics")}
    return {"day": day, "hrv_ms": told["HRV"].positive("value") if "HRV" in told else None}


def export_weight_row(item: Fields) -> Row | None:
    """A row of the export's `userBioMetrics`: a weighing one level down, or something else that was measured."""
    day = item.part("metaData").day()
    return None if day is None else {"day": day, "weight_kg": _kilograms(item.part("weight"))}


def weight_row(item: Fields) -> Row | None:
    """A weighing (grams)."""
    day = item.day()
    return None if day is None else {"day": day, "weight_kg": _kilograms(item)}


def max_met_readings(item: Fields) -> list[Row]:
    """A row of `maxmet/daily`: a reading for each sport that Garmin recomputed, by the reading's own date."""
    blocks = ((item.part(block), sport) for block, sport in (("generic", "running"), ("cycling", "cycling")))
    return [_reading(block, sport, _precise(block)) for block, sport in blocks]


def export_reading(item: Fields) -> list[Row]:
    """A row of the export's `MetricsMaxMetData` (MET × 3.5) or `ActivityVo2Max`."""
    sport = str(item.item.get("sport") or "RUNNING").lower()
    if sport not in ("running", "cycling", "generic"):
        return []
    met = item.positive("maxMet", scale=ML_KG_MIN_PER_MET)
    precise = _precise(item) or (round(met, 1) if met is not None else None)
    return [_reading(item, "cycling" if sport == "cycling" else "running", precise)]


def daily_readings(item: Fields) -> list[Row]:
    """The readings in a `daily.json` row: running in `vo2Max…`, cycling in `cyclingVo2Max…`."""
    running = _reading(item, "running", _precise(item))
    cycling = {
        "day": running["day"],
        "sport": "cycling",
        "precise": item.positive("cyclingVo2MaxPreciseValue"),
        "rounded": item.positive("cyclingVo2MaxValue"),
    }
    return [running, cycling]


def _reading(item: Fields, sport: str, precise: float | None) -> Row:
    return {"day": item.day(), "sport": sport, "precise": precise, "rounded": item.positive("vo2MaxValue")}


def _precise(item: Fields) -> float | None:
    return item.positive("vo2MaxPreciseValue")


def _kilograms(item: Fields) -> float | None:
    return item.positive("weight", scale=1 / GRAMS_PER_KG)


def _resting_heart_rate(item: Fields) -> float | None:
    """An export from before Garmin told the day's own has the smoothed figure alone."""
    name = "currentDayRestingHeartRate"
    return item.positive(name if name in item.item else "restingHeartRate")


def _stress(item: Fields) -> float | None:
    for total in item.part("allDayStress").parts("aggregatorList"):
        if total.item.get("type") == "TOTAL":
            return total.positive("averageStressLevel")
    return _first(item.positive("averageStressLevel"), item.positive("avgStressLevel"))


def _battery_stats(item: Fields) -> list[Fields]:
    return item.part("bodyBattery").parts("bodyBatteryStatList")


def _stat(item: Fields | None) -> float | None:
    return item.positive("statsValue") if item is not None else None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
