"""Rows whose date cannot be true, taken out between the parsing of documents and the making of tables.

It is the one place through which rows of every source and shape pass, FIT files included. A row is judged by the day
on which its document was fetched, which raw keeps: so a rebuild judges as the first run did.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from include.curate.clock import days_alone, why_impossible
from include.curate.mends import Mends
from include.curate.months import month_of
from include.curate.parse import Parsed
from include.curate.tables import KEYS, SORT, to_frame

Row = dict[str, Any]
Why = Callable[[date], str | None]

RULE = "impossible_date_left_out"


@dataclass
class LeftOut:
    """Rows that were taken out, with a `reason`, by table; each once, however many documents tell of it."""

    rows: dict[str, dict[tuple[str, ...], Row]] = field(default_factory=dict)

    def add(self, table: str, row: Row, reason: str) -> None:
        """Note a row of a table, or what will become one."""
        key = tuple(str(row[name]) for name in KEYS[table] if name != "athlete_id")
        self.rows.setdefault(table, {})[key] = row | {"reason": reason}

    def settle(self, kept: Parsed, mends: Mends) -> None:
        """Forget the activities of which another document tells a day that can be true; count the others."""
        still_there = {row["activity_id"] for row in kept.activities}
        activities = self.rows.pop("activities", {})
        self.rows["activities"] = {key: row for key, row in activities.items() if row["activity_id"] not in still_there}
        self.rows = {table: rows for table, rows in self.rows.items() if rows}
        for rows in self.rows.values():
            for row in rows.values():
                mends.count(RULE, row["day"])

    def frame(self, table: str, athlete_id: str, since_month: str | None) -> pd.DataFrame:
        """The rows of a table from a month on (`YYYY-MM`; None: all), with the table's columns and `reason`."""
        rows = [row for row in self.rows[table].values() if since_month is None or month_of(row["day"]) >= since_month]
        rows.sort(key=lambda row: [str(row.get(name)) for name in SORT[table]])
        parts = [to_frame(table, [row | {"athlete_id": athlete_id}]).assign(reason=row["reason"]) for row in rows]
        return pd.concat(parts, ignore_index=True) if parts else to_frame(table, []).assign(reason=None)


def take_out_impossible(part: Parsed, fetched_on: date, left_out: LeftOut) -> None:
    """Take what cannot have been on its day out of what one document told."""
    for row in part.activities:
        _keep_possible_clock(row, fetched_on)
    _take_out(part, lambda day: why_impossible(day, fetched_on), left_out)


def take_out_alone(parsed: Parsed, left_out: LeftOut) -> None:
    """Take out what stands alone in a whole history."""
    days = (date.fromisoformat(row["day"]) for rows in _rows(parsed).values() for row in rows if row["day"])
    reasons = days_alone(days)
    if reasons:
        _take_out(parsed, reasons.get, left_out)


def _rows(part: Parsed) -> dict[str, list[Row]]:
    return {"activities": part.activities, "days": part.days, "vo2max": part.readings}


def _take_out(part: Parsed, why: Why, left_out: LeftOut) -> None:
    reasons: dict[str, str | None] = {}  # most rows share their day with others, and to parse one costs
    for table, rows in _rows(part).items():
        kept = []
        for row in rows:
            day = row["day"]
            if day is not None and day not in reasons:
                reasons[day] = why(date.fromisoformat(day))
            reason = reasons.get(day)
            if reason is None:
                kept.append(row)
            else:
                left_out.add(table, _as_of_table(table, row), reason)
        if len(kept) < len(rows):
            rows[:] = kept


def _as_of_table(table: str, row: Row) -> Row:
    if table != "vo2max":
        return row
    precise = row["precise"]
    return row | {"vo2max": precise if precise is not None else row["rounded"], "is_precise": precise is not None}


def _keep_possible_clock(row: Row, fetched_on: date) -> None:
    """Of two clocks of an activity, UTC and the wall's, one that cannot be right gives way to the other."""
    local, utc_text = row.get("_start_local"), row.get("started_at_utc")
    if local is None or utc_text is None:
        return
    utc = datetime.fromisoformat(utc_text)
    is_local_wrong, is_utc_wrong = (why_impossible(clock.date(), fetched_on) is not None for clock in (local, utc))
    if is_utc_wrong and not is_local_wrong:
        row["started_at_utc"] = None
    elif is_local_wrong and not is_utc_wrong:
        row["_start_local"], row["day"] = None, utc.date().isoformat()
