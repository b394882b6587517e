"""Garmin's activity types, mapped to the few sports that the tables know (`tables.SPORTS`).

| sport | types |
|---|---|
| running | every kind: street, trail, track, treadmill, indoor, virtual, obstacle, ultra |
| cycling | every kind of bike, also indoor and virtual |
| swimming | pool, open water |
| walking | also casual, speed and indoor walking |
| hiking | also mountaineering and rucking |
| strength | strength training |
| multisport | the parent of a triathlon and its like; its legs have sports of their own |
| other | all else, and types not known: ball games, skiing, gym, yoga; what arms or motors drive |
"""

from functools import lru_cache

KINDS = 512
"""Garmin has some hundred types, and an athlete's activities are of few of them: each is looked up once."""
_EXACT = {
    "virtual_run": "running",
    "obstacle_run": "running",
    "ultra_run": "running",
    "cyclocross": "cycling",
    "bmx": "cycling",
    "virtual_ride": "cycling",
    "enduro_mtb": "cycling",
    "rucking": "hiking",
    "mountaineering": "hiking",
    "multi_sport": "multisport",
    "multisport": "multisport",
    "strength_training": "strength",
}
_PARTS = (
    ("motorcycling", "other"),
    ("handcycling", "other"),
    ("hand_cycling", "other"),
    ("e_bik", "other"),
    ("running", "running"),
    ("cycling", "cycling"),
    ("biking", "cycling"),
    ("swimming", "swimming"),
    ("walking", "walking"),
    ("hiking", "hiking"),
    ("multi_sport", "multisport"),
)
"""The first that a type contains; what moves arms or a motor says nothing about the VO2max of legs."""


@lru_cache(KINDS)
def sport_of(type_key: str | None) -> str:
    """The sport of a Garmin `typeKey`; `other` for what is none of them, or unknown.

    Every kind of running is running and every kind of bike that legs drive is cycling, for Garmin too keeps one VO2max
    for each of the two.
    """
    key = (type_key or "").lower()
    if key in _EXACT:
        return _EXACT[key]
    return next((sport for part, sport in _PARTS if part in key), "other")


_CARRIED = (
    "flying", "driving", "motor", "atv", "boating", "sailing", "hang_gliding", "gliding", "paragliding",
    "parachuting", "sky_diving", "skydiving", "wingsuit", "snowmobiling", "helicopter",
)  # fmt: skip
"""Parts of types whose speed and climb come from a motor, the wind or a fall."""


@lru_cache(KINDS)
def is_carried(type_key: str | None) -> bool:
    """Whether speed and climb of a type tell nothing about the athlete: flights, sails, drives."""
    key = (type_key or "").lower()
    return any(part in key for part in _CARRIED)
