"""What is said of an athlete: every sentence against what is true of the features and the record."""

from typing import Any

import pytest

from include.serving.evidence import NOTHING_DUE, evidence, low_confidence_reason, own_sentence, training_notes

LONG = {
    "readings": 588.0,
    "reading_history_days": 2900.0,
    "history_days": 2900.0,
    "load_42d": 40.0,
    "days_since_activity": 1.0,
    "training_hours_mean": 4.0,
}
NO_ACTIVITIES = {"load_42d": None, "days_since_activity": None, "training_hours_mean": None}


def own(windows: float, gain: float, persistence: float | None = 0.4) -> dict[str, Any]:
    weights = {"forecaster": 0.6} | ({} if persistence is None else {"persistence": persistence})
    return {"windows": windows, "gain": gain, "weights": weights, "band_scale": {}}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (own(0, 0.0), NOTHING_DUE),
        (own(12, -0.05), "This athlete's own forecasts so far (12 windows) were 5 % better than the last reading."),
        (own(1, -0.054), "This athlete's own forecasts so far (1 window) were 5 % better than the last reading."),
        (
            own(0.3, -0.5),
            "This athlete's own forecasts so far (less than 1 window) were 50 % better than the last reading.",
        ),
        (own(12, 0.004), "This athlete's own forecasts so far (12 windows) were as good as the last reading."),
        (own(12, -0.004), "This athlete's own forecasts so far (12 windows) were as good as the last reading."),
        (
            own(12.4, 0.021),
            "This athlete's own forecasts so far (12 windows) were 2 % worse than the last reading, which counts for "
            "40 % of the forecast now.",
        ),
        (
            own(12, 0.02, persistence=None),
            "This athlete's own forecasts so far (12 windows) were 2 % worse than the last reading.",
        ),
    ],
)
def test_the_own_record_is_said_as_it_is(record: dict[str, Any], sentence: str) -> None:
    assert own_sentence(record, "combined") == sentence


@pytest.mark.parametrize(
    ("record", "end"),
    [
        (own(2, -0.05), "so far (2 windows) the combined forecast would have been 5 % better than the last reading."),
        (own(2, 0.05), "so far (2 windows) the combined forecast would have been 5 % worse than the last reading."),
        (own(2, 0.0), "so far (2 windows) the combined forecast would have been as good as the last reading."),
    ],
)
def test_where_persistence_answers_no_other_forecast_is_said_to_have_been_given(
    record: dict[str, Any], end: str
) -> None:
    assert own_sentence(record, "persistence") == f"On this athlete's own days {end}"
    assert own_sentence(own(0, 0.0), "persistence") == NOTHING_DUE


def test_evidence_is_of_the_ranges_that_the_days_touch_and_of_who_answered() -> None:
    days = [{"horizon_days": h, "served_by": "persistence" if h < 8 else "combined"} for h in range(1, 11)]
    model = {name: {"sentence": f"{name}."} for name in ("29-42", "8-14", "1-7")}
    found = evidence(model, {"8-14": own(0, 0)}, days)
    assert found == [
        {"days": "1-7", "answered_by": "persistence", "sentence": "1-7."},
        {"days": "8-14", "answered_by": "combined", "sentence": f"8-14. {NOTHING_DUE}"},
    ]


def test_without_evidence_and_record_nothing_is_said() -> None:
    days = [{"horizon_days": 1, "served_by": "combined"}]
    assert evidence({}, {}, days) == evidence({"1-7": {}}, {}, days) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        (NO_ACTIVITIES, None),
        ({"readings": 15.0, "reading_history_days": 120.0, "history_days": 120.0}, None),
        ({"readings": 14.0}, "Short history: there are 14 readings, 15 are enough."),
        ({"readings": 1.0, "reading_history_days": 0.0}, "Short history: there is 1 reading, 15 are enough."),
        ({"reading_history_days": 119.0}, "Short history: the readings span 119 days, 120 are enough."),
        ({"reading_history_days": 1.0}, "Short history: the readings span 1 day, 120 are enough."),
        (
            {"reading_history_days": 30.0, "history_days": 31.0},
            "Short history: the readings span 30 days, 120 are enough; there are 31 days of training, 120 are enough.",
        ),
        (
            {"reading_history_days": 30.0, "history_days": 31.0} | NO_ACTIVITIES,
            "Short history: the readings span 30 days, 120 are enough.",
        ),
        (
            {"readings": 1.0, "reading_history_days": 0.0, "history_days": 1.0, "load_42d": None},
            "Short history: there is 1 reading, 15 are enough; there is 1 day of training, 120 are enough.",
        ),
    ],
)
def test_a_short_history_is_one_of_readings_or_of_training(changes: dict[str, Any], reason: str | None) -> None:
    assert low_confidence_reason(LONG | changes, {}, 42) == reason


def test_what_the_model_hardly_tested_is_said_where_the_days_touch_it() -> None:
    hardly = {"1-7": "few tests", "29-42": "no tests"}
    assert low_confidence_reason(LONG, hardly, 28) == "Days 1–7: few tests."
    assert low_confidence_reason(LONG, hardly, 29) == "Days 1–7: few tests. Days 29–42: no tests."


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({}, []),
        (NO_ACTIVITIES, ["No training is known of this athlete: the forecast rests on the readings alone."]),
        (
            NO_ACTIVITIES | {"training_hours_mean": 3.0},
            ["This athlete's latest activities are missing: the forecast rests mostly on the readings."],
        ),
        (NO_ACTIVITIES | {"days_since_activity": 2.0}, []),  # the first week, whose load is no average yet
    ],
)
def test_training_that_is_not_known_is_noted(changes: dict[str, Any], notes: list[str]) -> None:
    assert training_notes(LONG | changes) == notes
