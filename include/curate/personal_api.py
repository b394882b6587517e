"""Days in the two shapes that Garmin's Personal API alone has, as rows in the tables' units."""

from typing import Any

from include.curate.fields import Fields

Row = dict[str, Any]

GRAMS_PER_KG = 1000.0
_LEAST_GRAMS = 1000.0
"""The API's description says kilograms and its answers hold grams. No athlete weighs 1000 kg, and none 1 kg."""


def summary_rows(item: Fields) -> list[Row | None]:
    """The rows of a `dailysummaries` answer, in which what belongs together is grouped one level down."""
    return [_summary_row(summary) for summary in item.parts("data")]


def weighing_rows(item: Fields) -> list[Row | None]:
    """The last weighing of each day of a `weight/range` answer.

    The weighings before and after the range, which it holds for drawing a line, are left out: they are of days that
    were not asked for.
    """
    return [_weighing_row(day) for day in item.parts("dailyWeightSummaries")]


def _summary_row(summary: Fields) -> Row | None:
    day = summary.day()
    if day is None:
        return None
    battery = summary.part("bodyBattery")
    return {
        "day": day,
        "resting_hr_bpm": summary.part("heartRate").positive("restingValue"),
        "stress_avg": summary.part("stress").positive("avgLevel"),
        "body_battery_max": battery.positive("maxValue"),
        "body_battery_min": battery.positive("minValue"),
        "steps": summary.part("movement").part("steps").number("value"),
    }


def _weighing_row(day: Fields) -> Row | None:
    weighing = day.part("latestWeight")
    calendar_date = weighing.day() or day.day("summaryDate")
    if calendar_date is None:
        return None
    weight = weighing.positive("weight")
    in_grams = weight is not None and weight >= _LEAST_GRAMS
    return {"day": calendar_date, "weight_kg": weight / GRAMS_PER_KG if weight is not None and in_grams else weight}
