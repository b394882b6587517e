"""Activities in Garmin's three shapes, as rows in the table's units.

A row also carries values that other steps need and the table does not: `_vo2max`, `_device`, `_start_local`,
`_elapsed_s` (from start to end, with the pauses) and `_moving_s`, `_is_parent`, `_is_virtual` and `_is_carried` (a
motor, the wind or a wing did the work). What is not there, and 0 where it means "not estimated", is None.
"""

from typing import Any

from include.curate.fields import Fields
from include.curate.sports import is_carried, sport_of

Row = dict[str, Any]

KCAL_PER_KJ = 1 / 4.184


def list_item(item: Fields) -> Row | None:
    """An item of the activity list: metres, seconds, kcal."""
    row = _common(item, _type_key(item, "activityType"), "averageHR", "maxHR")
    if row is None:
        return None
    row |= {
        **_spans(item),
        "duration_s": item.number("duration"),
        "distance_m": item.number("distance"),
        "elevation_gain_m": item.number("elevationGain"),
        "avg_speed_mps": item.number("averageSpeed"),
        "energy_kcal": item.positive("calories"),
        "aerobic_te": item.number("aerobicTrainingEffect"),
        **{f"hr_zone_{zone}_s": item.number(f"hrTimeInZone_{zone}") for zone in range(1, 6)},
    }
    return row


def summary(item: Fields) -> Row | None:
    """An `/activity/{id}` answer: metres, seconds, kcal, values one level down."""
    values = item.part("summaryDTO")
    flat = Fields({**values.item, **item.item}, item.unread)
    row = _common(flat, _type_key(item, "activityTypeDTO"), "averageHR", "maxHR")
    if row is None:
        return None
    metadata = item.part("metadataDTO")
    row |= {
        **_spans(values),
        "duration_s": values.number("duration"),
        "distance_m": values.number("distance"),
        "elevation_gain_m": values.number("elevationGain"),
        "avg_speed_mps": values.number("averageSpeed"),
        "avg_power_w": values.positive("averagePower"),
        "energy_kcal": values.positive("calories"),
        "aerobic_te": values.number("trainingEffect"),
        "is_manual": metadata.flag("manualActivity"),
        "_device": metadata.part("deviceMetaDataDTO").identifier("deviceId"),
    }
    return row


def export_item(item: Fields) -> Row | None:
    """An item of `summarizedActivities.json`: centimetres, milliseconds, kJ, speed in 10 m/s.

    Its `hrTimeInZone_0` is the time below zone 1, which the tables leave out.
    """
    row = _common(item, _type_key(item, "activityType"), "avgHr", "maxHr")
    if row is None:
        return None
    row |= {
        **_spans(item, scale=1e-3),
        "duration_s": item.number("duration", scale=1e-3),
        "distance_m": item.number("distance", scale=1e-2),
        "elevation_gain_m": item.number("elevationGain", scale=1e-2),
        "avg_speed_mps": item.number("avgSpeed", scale=10.0),
        "energy_kcal": item.positive("calories", scale=KCAL_PER_KJ),
        "aerobic_te": item.number("aerobicTrainingEffect"),
        **{f"hr_zone_{zone}_s": item.number(f"hrTimeInZone_{zone}", scale=1e-3) for zone in range(1, 6)},
    }
    return row


def _common(item: Fields, type_key: str | None, avg_hr: str, max_hr: str) -> Row | None:
    """What all three shapes share; None for an item without id."""
    activity_id = item.identifier("activityId")
    if activity_id is None:
        return None
    start_local = item.wall_clock("startTimeLocal")
    started_at = item.moment("startTimeGMT") or item.moment("beginTimestamp")
    local_day = start_local or started_at
    return {
        "activity_id": activity_id,
        "started_at_utc": started_at.isoformat() if started_at else None,
        "day": local_day.date().isoformat() if local_day else None,
        "sport": sport_of(type_key) if type_key is not None else None,
        "avg_hr_bpm": item.positive(avg_hr),
        "max_hr_bpm": item.positive(max_hr),
        "avg_power_w": item.positive("avgPower"),
        "training_load": item.number("activityTrainingLoad"),
        "anaerobic_te": item.number("anaerobicTrainingEffect"),
        "is_manual": _either(item, "manualActivity", "isManualActivity"),
        "parent_id": item.identifier("parentId"),
        "_vo2max": item.positive("vO2MaxValue"),
        "_device": item.identifier("deviceId"),
        "_start_local": start_local,
        "_is_parent": item.flag("isMultiSportParent") or _either(item, "parent", "isParent") or None,
        "_is_virtual": (type_key is not None and type_key.lower().startswith("virtual_")) or None,
        "_is_carried": is_carried(type_key) or None,
    }


def _type_key(item: Fields, name: str) -> str | None:
    """The type of an activity: Garmin writes an object with a key in one place and the key alone in another."""
    value = item.item.get(name)
    return item.text(name) if isinstance(value, str) else item.part(name).text("typeKey")


def _spans(item: Fields, scale: float = 1.0) -> Row:
    return {
        "_elapsed_s": item.positive("elapsedDuration", scale),
        "_moving_s": item.positive("movingDuration", scale),
    }


def _either(item: Fields, name: str, other_name: str) -> bool | None:
    """A flag that Garmin's own clients name in two ways."""
    value = item.flag(name)
    return item.flag(other_name) if value is None else value
