"""What the API shows of an athlete's past: readings and training load."""

from typing import Any

import pandas as pd

from include.features.build import Tables, daily_load
from include.features.schema import EVENT_TIME, SPORT


def history_document(tables: Tables, features: pd.DataFrame) -> dict[str, Any]:
    """The history of one athlete as JSON values; numbers are rounded to 0.1, unknown ones are null.

    `load` has the fields day, load (of that day's activities, null without any), ctl, atl, tsb; `readings` are those of
    the series' sport.

    Raises:
        ValueError: `features` is empty or holds more than one athlete.
    """
    athletes = features["athlete_id"].unique()
    if len(athletes) != 1:
        raise ValueError(f"the history is that of one athlete, not of {len(athletes)}")
    last = features.iloc[-1]
    return {
        "athlete_id": str(athletes[0]),
        "sport": str(last[SPORT]),
        "as_of": str(last[EVENT_TIME])[:10],
        "readings": _readings(tables.vo2max, str(athletes[0]), str(last[SPORT])),
        "load": _load(features, daily_load(tables, str(athletes[0]))),
    }


def _readings(vo2max: pd.DataFrame, athlete_id: str, sport: str) -> list[dict[str, Any]]:
    rows = vo2max[(vo2max["athlete_id"].astype(str) == athlete_id) & (vo2max["sport"] == sport)]
    rows = rows[rows["vo2max"] > 0].sort_values("day", kind="stable")
    days = pd.to_datetime(rows["day"]).dt.strftime("%Y-%m-%d")
    precise = rows["is_precise"].map(lambda value: str(value).lower() in ("true", "1", "1.0"))
    return [
        {"day": day, "vo2max": round(float(value), 1), "is_precise": bool(flag)}
        for day, value, flag in zip(days, rows["vo2max"], precise, strict=True)
    ]


def _load(features: pd.DataFrame, by_day: pd.Series) -> list[dict[str, Any]]:
    columns = {"ctl": "load_42d", "atl": "load_7d", "tsb": "load_balance"}
    frame = pd.DataFrame({name: features[column].round(1) for name, column in columns.items()})
    days = features[EVENT_TIME].str[:10]
    frame.insert(0, "day", days)
    frame.insert(1, "load", days.map(by_day).round(1).to_numpy())
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
