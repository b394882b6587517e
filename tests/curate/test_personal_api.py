import json
from typing import Any

import pytest

from include.curate.parse import Parsed, parse_document

DAY = {
    "calendarDate": "2026-02-01",
    "movement": {"steps": {"value": 9000}},
    "heartRate": {"maxValue": 171, "restingValue": 48},
    "stress": {"avgLevel": 29},
    "bodyBattery": {"minValue": 21, "maxValue": 96},
}


def parsed(value: Any) -> Parsed:
    into = Parsed()
    parse_document(json.dumps(value).encode(), into)
    return into


def weighed(weight: Any, **changed: Any) -> Any:
    day = {"summaryDate": "2026-02-01", "latestWeight": {"calendarDate": "2026-02-01", "weight": weight}} | changed
    return {"dailyWeightSummaries": [day], "previousDateWeight": {"calendarDate": "2026-01-02", "weight": 99_000.0}}


def test_grouped_day_summaries_are_days() -> None:
    assert parsed({"data": [DAY]}).days == [
        {
            "day": "2026-02-01", "resting_hr_bpm": 48.0, "stress_avg": 29.0, "body_battery_max": 96.0,
            "body_battery_min": 21.0, "steps": 9000.0, "source": "day",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["movement", "heartRate", "stress", "bodyBattery"])
def test_a_group_that_is_null_or_missing_leaves_its_values_unknown(name: str) -> None:
    without = {key: value for key, value in DAY.items() if key != name}
    [row], [other] = parsed({"data": [DAY | {name: None}]}).days, parsed({"data": [without]}).days
    assert row == other and None in row.values() and row["day"] == "2026-02-01"


def test_what_garmin_writes_for_not_measured_is_unknown() -> None:
    [row] = parsed({"data": [DAY | {"stress": {"avgLevel": -1}, "heartRate": {"restingValue": 0}}]}).days
    assert row["stress_avg"] is None and row["resting_hr_bpm"] is None


def test_a_summary_without_a_date_is_counted() -> None:
    found = parsed({"data": [DAY | {"calendarDate": None}, DAY]})
    assert len(found.days) == 1 and found.unread == {"item without id or date": 1}


@pytest.mark.parametrize(("weight", "kilograms"), [(70_500.0, 70.5), (70.5, 70.5), (0, None), (None, None)])
def test_weights_are_grams_or_kilograms_by_their_size(weight: float | None, kilograms: float | None) -> None:
    [row] = parsed(weighed(weight)).days
    assert row == {"day": "2026-02-01", "weight_kg": kilograms, "source": "weighing"}


def test_the_weighing_before_the_range_is_no_row() -> None:
    assert [row["day"] for row in parsed(weighed(70_500.0)).days] == ["2026-02-01"]


def test_a_day_of_weights_without_a_weighing_is_a_day_without_weight() -> None:
    [row] = parsed(weighed(1, latestWeight=None)).days
    assert row["weight_kg"] is None
