from typing import Any

import pytest

from infra.deployment.forecasts import Answer, faults, summary, table


def forecast(**changes: Any) -> dict[str, Any]:
    days = [
        {
            "day": "2026-01-01",
            "horizon_days": horizon,
            "vo2max": 50.0,
            "low_80": 49.0,
            "high_80": 51.0,
            "low_90": 48.5,
            "high_90": 51.5,
            "served_by": "combined" if horizon > 28 else "persistence",
        }
        for horizon in range(1, 43)
    ]
    document = {
        "athlete_id": "ann",
        "sport": "running",
        "as_of": "2025-12-31",
        "last_reading": {"vo2max": 50, "day": "2025-12-30", "age_days": 1},
        "model": {"version": "v"},
        "days": days,
    }
    return document | changes


def test_a_documented_forecast_has_no_faults() -> None:
    assert faults(Answer("ann", 200, forecast()), has_readings=True) == []


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (forecast(athlete_id="bob"), "another athlete"),
        (forecast(days=forecast()["days"][:41]), "has 41 days"),
        (forecast(as_of=None), "has no as_of"),
        (forecast(last_reading={}), "has no last_reading"),
        (forecast(days=[day | {"low_80": 50.5} for day in forecast()["days"]]), "bands do not hold"),
        (forecast(days=[day | {"vo2max": 5, "low_80": 4, "low_90": 3} for day in forecast()["days"]]), "no human"),
        (forecast(days=[day | {"served_by": "luck"} for day in forecast()["days"]]), "served by 'luck'"),
    ],
)
def test_every_fault_is_found(document: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in faults(Answer("ann", 200, document), has_readings=True))


def test_the_empty_answer_is_right_only_for_athletes_without_readings() -> None:
    empty = Answer("ann", 404, {"detail": "no reading of ann yet"})
    assert faults(empty, has_readings=False) == []
    assert faults(empty, has_readings=True) == ["answered 404: no reading of ann yet"]


@pytest.mark.parametrize("status", [0, 403, 500, 503])
def test_other_errors_are_faults_even_without_readings(status: int) -> None:
    assert faults(Answer("ann", status, {"detail": "no"}), has_readings=False) != []


def test_the_table_shows_what_served_each_bucket_and_why_there_is_no_forecast() -> None:
    shown = table([Answer("ann", 200, forecast()), Answer("bob", 404, {"detail": "no reading of bob yet"})])
    row = shown.splitlines()[1]
    assert row.split() == [
        "ann", "2025-12-31", "50", "on", "2025-12-30", "50.0", "50.0", "50.0", "50.0",
        "persistence", "persistence", "persistence", "combined",
    ]  # fmt: skip
    assert "bob: no forecast (404): no reading of bob yet" in shown


def test_below_the_table_each_athlete_has_what_its_farthest_days_rest_on() -> None:
    ranges = {"1-7": "persistence", "29-42": "combined"}
    evidence = [
        {"days": days, "answered_by": method, "sentence": f"Measured at {days}."} for days, method in ranges.items()
    ]
    notes = ["No training is known of this athlete."]
    told = forecast(evidence=evidence, confidence_reason="Short history: there is 1 reading.", notes=notes)
    answers = [
        Answer("ann", 200, told),
        Answer("bob", 404, {"detail": "no reading of bob yet"}),
        Answer("cy", 200, forecast(athlete_id="cy", confidence_reason=None, notes=[], evidence=[])),
    ]
    below = summary(answers).removeprefix(table(answers)).strip()
    assert below == (
        "ann, days 29-42 (combined): Measured at 29-42. Short history: there is 1 reading. "
        "No training is known of this athlete."
    )
    assert summary(answers[1:]) == table(answers[1:])


def test_a_model_that_knows_no_combination_may_go_on_serving() -> None:
    days = [day | {"served_by": "forecaster"} for day in forecast()["days"]]
    assert faults(Answer("ann", 200, forecast(days=days)), has_readings=True) == []
