"""What a forecast rests on, in plain words that are true of the athlete: evidence, confidence, notes."""

from collections.abc import Mapping, Sequence
from typing import Any

ENOUGH_HISTORY_DAYS = 120
ENOUGH_READINGS = 15
PERSISTENCE = "persistence"
NO_TRAINING = "No training is known of this athlete: the forecast rests on the readings alone."
LATEST_MISSING = "This athlete's latest activities are missing: the forecast rests mostly on the readings."
NOTHING_DUE = "None of this athlete's own forecasts has come due yet."


def evidence(
    model_evidence: Mapping[str, Mapping[str, Any]],
    record: Mapping[str, Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
) -> list[dict[str, str]]:
    """For each range of days that the predictions touch: which method answered, and the sentences that speak for it.

    Args:
        model_evidence: by range (`1-7`), the model's `sentence`; a model may say nothing.
        record: by range, how the athlete's own forecasts did: `windows`, `gain` and `weights`; may be empty.
    """
    answered_by = {day["horizon_days"]: str(day["served_by"]) for day in predictions}
    entries = []
    for name in sorted({*model_evidence, *record}, key=first_day):
        if first_day(name) not in answered_by:
            continue
        answered = answered_by[first_day(name)]
        sentences = [model_evidence.get(name, {}).get("sentence", "")]
        sentences += [own_sentence(record[name], answered)] if name in record else []
        joined = " ".join(sentence for sentence in sentences if sentence)
        entries.append({"days": name, "answered_by": answered, "sentence": joined})
    return [entry for entry in entries if entry["sentence"]]


def first_day(range_name: str) -> int:
    """The first day ahead of a range such as `8-14`."""
    return int(range_name.partition("-")[0])


def own_sentence(own: Mapping[str, Any], answered_by: str) -> str:
    """How the combined forecast did on the athlete's own forecasts that have come due, against the last reading.

    Args:
        own: `windows` (independent ones), `gain` (relative CRPS, below 0 is better) and `weights` by method.
        answered_by: where persistence answered, the combined forecast is one that was not given.
    """
    if own["windows"] <= 0:
        return NOTHING_DUE
    windows, percent = _windows(own["windows"]), round(abs(own["gain"]) * 100)
    if answered_by == PERSISTENCE:
        start = f"On this athlete's own days so far ({windows}) the combined forecast would have been"
    else:
        start = f"This athlete's own forecasts so far ({windows}) were"
    if percent == 0:
        return f"{start} as good as the last reading."
    if own["gain"] < 0:
        return f"{start} {percent} % better than the last reading."
    worse = f"{start} {percent} % worse than the last reading"
    weight = own["weights"].get(PERSISTENCE)
    if answered_by == PERSISTENCE or weight is None:
        return f"{worse}."
    return f"{worse}, which counts for {round(weight * 100)} % of the forecast now."


def _windows(count: float) -> str:
    if round(count) < 1:
        return "less than 1 window"
    return "1 window" if round(count) == 1 else f"{round(count)} windows"


def training_notes(features: Mapping[str, float | None]) -> list[str]:
    """Sentences about an athlete whose training is not known, which alone is no reason for low confidence."""
    if features["load_42d"] is not None or features["days_since_activity"] is not None:
        return []
    return [NO_TRAINING if features["training_hours_mean"] is None else LATEST_MISSING]


def low_confidence_reason(
    features: Mapping[str, float | None], hardly_tested: Mapping[str, str], days: int
) -> str | None:
    """Why the forecast of so many days is to be taken with care, in plain words; None where nothing speaks against it.

    `hardly_tested` is what the model says of itself: a reason for each range of days (`29-42`) with few tests.
    """
    lacks = _lacks(features)
    sentences = [f"Short history: {'; '.join(lacks)}."] if lacks else []
    for name, reason in hardly_tested.items():
        if first_day(name) <= days:
            sentences.append(f"Days {name.replace('-', '–')}: {reason}.")
    return " ".join(sentences) or None


def _lacks(features: Mapping[str, float | None]) -> list[str]:
    """What an athlete's history lacks for a forecast of full confidence."""
    readings, span_days, history_days = (
        round(features[name] or 0) for name in ("readings", "reading_history_days", "history_days")
    )
    lacks = []
    if readings < ENOUGH_READINGS:
        have = "there is 1 reading" if readings == 1 else f"there are {readings} readings"
        lacks.append(f"{have}, {ENOUGH_READINGS} are enough")
    if readings > 1 and span_days < ENOUGH_HISTORY_DAYS:
        lacks.append(f"the readings span {_days(span_days)}, {ENOUGH_HISTORY_DAYS} are enough")
    has_activities = features["load_42d"] is not None or features["days_since_activity"] is not None
    if has_activities and history_days < ENOUGH_HISTORY_DAYS:
        have = "there is 1 day" if history_days == 1 else f"there are {history_days} days"
        lacks.append(f"{have} of training, {ENOUGH_HISTORY_DAYS} are enough")
    return lacks


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
