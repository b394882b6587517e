"""What planned training load changes about a forecast, where the model has shown that it knows."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from include.serving.forecast import MAX_HORIZON_DAYS, forecast
from include.serving.history import history
from include.serving.problem import Problem

MOST_OF_HIGHEST_WEEK = 1.3
"""More than this times the athlete's highest week is beyond what their past says anything about."""
WEEKS_LOOKED_AT = 12


def what_if(athlete_id: str, weekly_load: Sequence[float]) -> dict[str, Any]:
    """The forecast, each day with its `difference` under the planned load: an association, not an effect.

    Raises:
        Problem: 409 the model that serves answers no what-if, 400 a week beyond the athlete's past, else as `forecast`.
    """
    usual = forecast(athlete_id, MAX_HORIZON_DAYS)
    if not usual["what_if"]["enabled"]:
        raise Problem(
            HTTPStatus.CONFLICT,
            "what-if is off",
            f"A what-if would be a guess: {usual['what_if']['reason']}. "
            "GET the same path for the forecast of training as usual.",
        )
    most = MOST_OF_HIGHEST_WEEK * highest_week(
        history(athlete_id, None, None)["load"], date.fromisoformat(usual["as_of"])
    )
    if max(weekly_load) > most:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "Bad request",
            f"A week of {max(weekly_load):g} is beyond what this athlete's past says anything about: at most "
            f"{most:.0f}, which is {MOST_OF_HIGHEST_WEEK:g} times the highest of the last {WEEKS_LOOKED_AT} weeks.",
            field="weekly_load",
        )
    return forecast(athlete_id, MAX_HORIZON_DAYS, tuple(weekly_load))


def highest_week(load: Sequence[Mapping[str, Any]], as_of: date) -> float:
    """The highest load of seven days in a row in the last WEEKS_LOOKED_AT weeks up to `as_of`; 0 without any."""
    by_day = {row["day"]: row["load"] or 0.0 for row in load}
    days = [as_of - timedelta(days=back) for back in range(7 * WEEKS_LOOKED_AT)]
    values = [by_day.get(day.isoformat(), 0.0) for day in days]
    return max(sum(values[start : start + 7]) for start in range(len(values) - 6))
