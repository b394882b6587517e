"""Documents as Garmin's answers are stored, made by hand."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from include.curate import Tables, curate
from include.garmin import StoredDocument

Json = dict[str, Any]

FETCHED = datetime(2027, 1, 1, tzinfo=UTC)
"""After everything that the documents of these tests tell of: nothing is told of a day to come."""


def stored(value: object, kind: str = "day", order: int = 0, athlete: str = "ann") -> StoredDocument:
    """`value` as the document fetched on day `order`; bytes are taken as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return StoredDocument(
        kind, date(2026, 1, 1), f"d{order}", body, athlete, FETCHED + timedelta(days=order), f"raw/{kind}/{order}"
    )


def curated(*values: object, kind: str = "day") -> Tables:
    """The tables of `values`, the first fetched first."""
    return curate([stored(value, kind, order) for order, value in enumerate(values)])


def activity(number: int = 1, sport: str = "running", day: str = "2025-05-01", **more: Any) -> Json:
    """An item of the activity list: an hour at 10 km/h, two hours east of Greenwich, at eight when not told."""
    local = more.get("startTimeLocal", f"{day} 08:00:00")
    return {
        "activityId": number,
        "activityType": {"typeKey": sport},
        "startTimeLocal": local,
        "startTimeGMT": local and (datetime.fromisoformat(local) - timedelta(hours=2)).isoformat(" "),
        "duration": 3600.0,
        "distance": 10_000.0,
        "calories": 600.0,
        "elevationGain": 80.0,
        **more,
    }


def max_met(day: str, precise: float | None, rounded: float | None = None) -> Json:
    return {"calendarDate": day, "vo2MaxPreciseValue": precise, "vo2MaxValue": rounded}


def known(frame: pd.DataFrame) -> list[Json]:
    """The rows without the athlete and without unknown values, days as text."""
    rows = []
    for row in frame.drop(columns="athlete_id").to_dict("records"):
        told = {name: value for name, value in row.items() if value is not None and value == value}
        rows.append(
            {name: str(value)[:19] if isinstance(value, pd.Timestamp) else value for name, value in told.items()}
        )
    return [{**row, "day": row["day"][:10]} if "day" in row else row for row in rows]


def readings(tables: Tables) -> list[tuple[str, str, float, bool]]:
    return [(row["day"], row["sport"], row["vo2max"], row["is_precise"]) for row in known(tables.vo2max)]
