"""Sessions decoded from FIT files (`{"activityId": …, "fitSession": {…}}`), as rows in the table's units.

The fields of `fitSession` are those of `include.garmin.fit.FitSession`.
"""

from typing import Any

from include.curate.fields import Fields
from include.curate.sports import sport_of

Row = dict[str, Any]

_NO_SPORT = frozenset({"generic", "training", "fitness_equipment"})
"""Sports of the FIT profile that leave it to the sub-sport to say what was done."""
_BY_SUB_SPORT = {"treadmill": "running"}


def activity(item: Fields) -> Row | None:
    """An activity as its watch summed it up; None for an item without id."""
    activity_id = item.identifier("activityId")
    if activity_id is None:
        return None
    session = item.part("fitSession")
    started_at, start_local = session.moment("started_at_utc"), session.moment("start_local")
    local = start_local or started_at
    return {
        "activity_id": activity_id,
        "started_at_utc": started_at.isoformat() if started_at else None,
        "day": local.date().isoformat() if local else None,
        "sport": _sport(session),
        "duration_s": session.number("timer_s"),
        "distance_m": session.number("distance_m"),
        "elevation_gain_m": session.number("ascent_m"),
        "avg_speed_mps": session.number("avg_speed_mps"),
        "avg_hr_bpm": session.positive("avg_hr_bpm"),
        "max_hr_bpm": session.positive("max_hr_bpm"),
        "avg_power_w": session.positive("avg_power_w"),
        "energy_kcal": session.number("energy_kcal"),
        "training_load": session.number("training_load"),
        "aerobic_te": session.number("aerobic_te"),
        "anaerobic_te": session.number("anaerobic_te"),
        "_elapsed_s": session.positive("elapsed_s"),
        "_vo2max": _estimate(session),
        "_device": session.identifier("device_id"),
        "_start_local": local,
    }


def readings(item: Fields) -> list[Row]:
    """The VO2max that the watch estimated from the activity: precise, for running or cycling, or none.

    It is told as a reading besides the row's `_vo2max`, so that its tenths are not lost to the rounded value of an
    activity list.
    """
    session = item.part("fitSession")
    local = session.moment("start_local") or session.moment("started_at_utc")
    estimate, sport = _estimate(session), _sport(session)
    if estimate is None or sport is None:
        return []
    day = local.date().isoformat() if local else None
    return [{"day": day, "sport": sport, "precise": round(estimate, 1), "rounded": None}]


def _estimate(session: Fields) -> float | None:
    """VO2max, where the activity can have yielded one.

    Watches write the last estimate into other activities too. A new one needs heart rate, on a bike also power, and is
    of the activity's own sport.
    """
    sport, own_sport = _sport(session), session.item.get("vo2max_sport")
    measured = session.positive("avg_hr_bpm") is not None
    if sport == "cycling":
        measured = measured and session.positive("avg_power_w") is not None
    if not measured or sport not in ("running", "cycling"):
        return None
    if isinstance(own_sport, str) and own_sport != "generic" and sport_of(own_sport) != sport:
        return None
    return session.positive("vo2max")


def _sport(session: Fields) -> str | None:
    """None when the file does not tell, so that the activity's other documents do."""
    names = [name for name in (session.item.get("sport"), session.item.get("sub_sport")) if isinstance(name, str)]
    told = next((name for name in names if name not in _NO_SPORT), None)
    return None if told is None else _BY_SUB_SPORT.get(told) or sport_of(told)
