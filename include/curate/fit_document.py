"""What was decoded from FIT files, as rows in the tables' units.

An activity is `{"activityId": …, "fitSession": {…}}`, with the fields of `include.garmin.fit.FitSession`; an update of
VO2max from a METRICS file is `{"fitMaxMet": {…}}`, with those of `include.garmin.fit_metrics.MaxMet`.
"""

from typing import Any

from include.curate.fields import Fields
from include.curate.sports import sport_of
from include.garmin.fit_metrics import plausible, vo2max_of_met

Row = dict[str, Any]

_NO_SPORT = frozenset({"generic", "training", "fitness_equipment"})
"""Sports of the FIT profile that leave it to the sub-sport to say what was done."""
_BY_SUB_SPORT = {"treadmill": "running"}
_NOT_BY_LEGS = frozenset({
    "hand_cycling", "indoor_hand_cycling", "e_bike_fitness", "e_bike_mountain", "atv", "motocross",
    "bike_to_run_transition", "run_to_bike_transition", "swim_to_bike_transition",
})  # fmt: skip
"""Sub-sports that go before their sport: the activity list has a type of its own for each, and it is no riding."""
_UPDATED_SPORTS = ("running", "cycling")
"""Of METRICS files. They do not say whether heart rate was measured, without which a walk tells nothing."""
BEFORE_THE_ACTIVITY = "VO2max of before the activity (FIT message 79), of unsure scale"


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
        "_is_virtual": (session.item.get("sub_sport") == "virtual_activity") or None,
    }


def readings(item: Fields) -> list[Row]:
    """The VO2max that the watch estimated from the activity: precise, for running or cycling, or none.

    It is told as a reading besides the row's `_vo2max`, so that its tenths are not lost to the rounded value of an
    activity list.
    """
    session = item.part("fitSession")
    local = session.moment("start_local") or session.moment("started_at_utc")
    estimate, sport = _estimate(session), _sport(session)
    if session.item.get("met_max_before") is not None:
        item.unread[BEFORE_THE_ACTIVITY] += 1
    if estimate is None or sport is None:
        return []
    day = local.date().isoformat() if local else None
    if session.flag("vo2max_is_whole"):
        return [{"day": day, "sport": sport, "precise": None, "rounded": estimate}]
    return [
        {"day": day, "sport": sport, "precise": round(session.positive("day_vo2max") or estimate, 1), "rounded": None}
    ]


def update_readings(item: Fields) -> list[Row]:
    """The reading of one update of a METRICS file: the day's VO2max, and beside it the activity's.

    `day` is that of the wall clock when `_is_local`, else that of UTC, to be set by `reading_days`.
    """
    update = item.part("fitMaxMet")
    updated_at, local = update.moment("updated_at_utc"), update.moment("updated_local")
    sport = _sport(update) or "running"  # without a sport of its own it is the series that Garmin calls generic
    if sport not in _UPDATED_SPORTS or updated_at is None:
        return []
    precise = vo2max_of_met(update.number("met_max_raw"))
    return [
        {
            "day": (local or updated_at).date().isoformat(),
            "sport": sport,
            "precise": None if precise is None else round(precise, 1),
            "rounded": plausible(update.number("vo2max_whole")),
            "activity_vo2max": vo2max_of_met(update.number("activity_met_max_raw")),
            "_updated_at": updated_at,
            "_is_local": local is not None,
        }
    ]


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
    if not _NOT_BY_LEGS.isdisjoint(names):
        return "other"
    told = next((name for name in names if name not in _NO_SPORT), None)
    return None if told is None else _BY_SUB_SPORT.get(told) or sport_of(told)
