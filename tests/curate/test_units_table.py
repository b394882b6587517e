"""Garmin's units, cell by cell: the same hour of running told in each shape is the same row."""

from typing import Any

import pytest
from garmin_documents import curated, known

SHAPES = ("activity_list", "activity", "export")
HOUR: dict[str, tuple[Any, Any, Any, str, Any]] = {
    # what: list item, summary, account export -> column, value
    "sport": ("trail_running", "trail_running", "trail_running", "sport", "running"),
    "start in UTC": ("2025-05-01 06:00:00", "2025-05-01T06:00:00.0", 1746079200000, "started_at_utc", "2025-05-01 06:00:00"),
    "start on the wall": ("2025-05-02 01:30:00", "2025-05-02T01:30:00.0", 1746149400000.0, "day", "2025-05-02"),
    "distance": (10_000.0, 10_000.0, 1_000_000.0, "distance_m", 10_000.0),
    "duration": (3600.5, 3600.5, 3_600_500.0, "duration_s", 3600.5),
    "speed": (2.75, 2.75, 0.275, "avg_speed_mps", 2.75),
    "elevation": (80.0, 80.0, 8_000.0, "elevation_gain_m", 80.0),
    "calories": (600.0, 600.0, 2510.4, "energy_kcal", 600.0),
    "heart rate": (151.0, 151.0, 151.0, "avg_hr_bpm", 151.0),
    "highest heart rate": (175.0, 175.0, 175.0, "max_hr_bpm", 175.0),
    "power": (250.0, 250.0, 250.0, "avg_power_w", 250.0),
    "aerobic effect": (3.4, 3.4, 3.4, "aerobic_te", 3.4),
    "anaerobic effect": (0.0, 0.0, 0.0, "anaerobic_te", 0.0),
    "load": (120.5, 120.5, 120.5, "training_load", 120.5),
    "by hand": (True, True, True, "is_manual", True),
    "parent": (99, 99, 99, "parent_id", "99"),
    **{f"zone {zone}": (60.5, None, 60_500.0, f"hr_zone_{zone}_s", 60.5) for zone in range(1, 6)},
}  # fmt: skip
NAMES: dict[str, tuple[str, str, str]] = {
    "sport": ("activityType.typeKey", "activityTypeDTO.typeKey", "activityType"),
    "start in UTC": ("startTimeGMT", "summaryDTO.startTimeGMT", "beginTimestamp"),
    "start on the wall": ("startTimeLocal", "summaryDTO.startTimeLocal", "startTimeLocal"),
    "distance": ("distance", "summaryDTO.distance", "distance"),
    "duration": ("duration", "summaryDTO.duration", "duration"),
    "speed": ("averageSpeed", "summaryDTO.averageSpeed", "avgSpeed"),
    "elevation": ("elevationGain", "summaryDTO.elevationGain", "elevationGain"),
    "calories": ("calories", "summaryDTO.calories", "calories"),
    "heart rate": ("averageHR", "summaryDTO.averageHR", "avgHr"),
    "highest heart rate": ("maxHR", "summaryDTO.maxHR", "maxHr"),
    "power": ("avgPower", "summaryDTO.averagePower", "avgPower"),
    "aerobic effect": ("aerobicTrainingEffect", "summaryDTO.trainingEffect", "aerobicTrainingEffect"),
    "anaerobic effect": ("anaerobicTrainingEffect", "summaryDTO.anaerobicTrainingEffect", "anaerobicTrainingEffect"),
    "load": ("activityTrainingLoad", "summaryDTO.activityTrainingLoad", "activityTrainingLoad"),
    "by hand": ("manualActivity", "metadataDTO.manualActivity", "manualActivity"),
    "parent": ("parentId", "parentId", "parentId"),
    **{f"zone {zone}": (f"hrTimeInZone_{zone}", "", f"hrTimeInZone_{zone}") for zone in range(1, 6)},
}


def _document(shape: str, **told: Any) -> Any:
    """An activity of which no more is told than `told`, under Garmin's names."""
    item: dict[str, Any] = {"activityId": 7}
    if shape == "activity_list":
        item["activityType"] = {}
    if shape == "activity":
        item["summaryDTO"] = {}
    for path, value in told.items():
        *parts, name = path.split(".")
        inner = item
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return [{"summarizedActivitiesExport": [item]}] if shape == "export" else item


def _row(shape: str, **told: Any) -> dict[str, Any]:
    (row,) = known(curated(_document(shape, **told)).activities)
    return row


@pytest.mark.parametrize(
    ("shape", "what"), [(shape, what) for shape in SHAPES for what in HOUR if NAMES[what][SHAPES.index(shape)]]
)
def test_a_cell(shape: str, what: str) -> None:
    column = SHAPES.index(shape)
    *cells, name, expected = HOUR[what]
    row = _row(shape, **{NAMES[what][column]: cells[column]})
    assert row[name] == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert row["source"] == shape


@pytest.mark.parametrize("what", [what for what in HOUR if what not in ("sport", "start on the wall", "by hand")])
def test_a_field_of_one_shape_is_not_read_under_another_name(what: str) -> None:
    *_, name, _ = HOUR[what]
    assert all(name not in _row(shape) for shape in SHAPES)


def test_the_time_below_zone_1_is_no_zone() -> None:
    for shape in ("activity_list", "export"):
        row = _row(shape, hrTimeInZone_0=90_000.0, hrTimeInZone_1=60_000.0)
        assert [name for name in row if name.startswith("hr_zone")] == ["hr_zone_1_s"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("what", ["calories", "heart rate", "highest heart rate", "power"])
def test_zero_is_not_measured(shape: str, what: str) -> None:
    *_, name, _ = HOUR[what]
    assert name not in _row(shape, **{NAMES[what][SHAPES.index(shape)]: 0.0})


def test_a_whole_hour_is_the_same_in_every_shape() -> None:
    whole = [what for what in HOUR if not what.startswith("zone")]
    rows = [_row(shape, **{NAMES[what][at]: HOUR[what][at] for what in whole}) for at, shape in enumerate(SHAPES)]
    for row in rows:
        row.pop("source")
        row["energy_kcal"], row["avg_speed_mps"] = round(row["energy_kcal"], 6), round(row["avg_speed_mps"], 6)
    assert rows[0] == rows[1] == rows[2]
