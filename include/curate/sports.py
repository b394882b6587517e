"""Garmin's activity types, mapped to the few sports that the tables know (`tables.SPORTS`)."""

_EXACT = {
    "virtual_run": "running",
    "obstacle_run": "running",
    "ultra_run": "running",
    "cyclocross": "cycling",
    "bmx": "cycling",
    "virtual_ride": "cycling",
    "rucking": "hiking",
    "mountaineering": "hiking",
    "multi_sport": "multisport",
    "multisport": "multisport",
    "strength_training": "strength",
    "indoor_climbing": "other",
}
_PARTS = (
    ("running", "running"),
    ("cycling", "cycling"),
    ("biking", "cycling"),
    ("e_bike", "cycling"),
    ("swimming", "swimming"),
    ("walking", "walking"),
    ("hiking", "hiking"),
    ("multi_sport", "multisport"),
)


def sport_of(type_key: str | None) -> str:
    """The sport of a Garmin `typeKey`; `other` for what is none of them, or unknown.

    Every kind of running (trail, treadmill, track, virtual) is running and every kind of bike is cycling, for
    Garmin too keeps one VO2max for each of the two.
    """
    key = (type_key or "").lower()
    if key in _EXACT:
        return _EXACT[key]
    return next((sport for part, sport in _PARTS if part in key), "other")
