"""The features as plain pandas would make them: `groupby("athlete_id").apply`, a calendar, rolling windows, merges.

It is what an analyst would write first and what the project's own code is measured against. It gives the same numbers,
which a test holds, but for the last digits where sums are taken in another order.
"""

import numpy as np
import pandas as pd

from include.features.build import Tables
from include.features.load import (
    HOURLY_LOAD,
    MAX_HR_RANGE_BPM,
    OTHER_HOURLY_LOAD,
    USUAL_RESTING_HR_BPM,
    sport_family,
)
from include.features.schema import COLUMNS, EVENT_TIME, RECORD_ID, SPORT

LONG_AGO = pd.Timestamp("1900-01-01")


def plain_features(tables: Tables) -> pd.DataFrame:
    """The feature rows of all athletes of the tables, in the columns of the schema."""
    days, vo2max = _with_days(tables.days), _with_days(tables.vo2max)
    activities = _with_loads(_with_days(tables.activities))
    events = pd.concat([activities[[RECORD_ID, "day"]], vo2max[[RECORD_ID, "day"]]])

    def of_athlete(starts: pd.DataFrame) -> pd.DataFrame:
        own = [frame[frame[RECORD_ID] == starts.name] for frame in (activities, days, vo2max)]
        return _athlete(starts, *own)

    rows = events.groupby(RECORD_ID).apply(of_athlete, include_groups=False).reset_index(level=0)
    return rows[list(COLUMNS)].reset_index(drop=True)


def _with_days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(day=pd.to_datetime(frame["day"]).dt.normalize())


def _with_loads(activities: pd.DataFrame) -> pd.DataFrame:
    parents = activities[[RECORD_ID, "parent_id"]].dropna().drop_duplicates()
    parents = parents.rename(columns={"parent_id": "activity_id"}).assign(is_parent=True)
    rows = activities.merge(parents, on=[RECORD_ID, "activity_id"], how="left")
    rows = rows[rows["is_parent"].isna()].sort_values([RECORD_ID, "day", "activity_id"])
    family = rows["sport"].fillna("other").map(sport_family)
    hours = rows["duration_s"].clip(lower=0).fillna(0) / 3600
    return rows.assign(
        family=family, hours=hours, by_duration=hours * family.map(HOURLY_LOAD).fillna(OTHER_HOURLY_LOAD)
    )


def _athlete(starts: pd.DataFrame, activities: pd.DataFrame, days: pd.DataFrame, vo2max: pd.DataFrame) -> pd.DataFrame:
    first, last = starts["day"].min(), max(starts["day"].max(), days["day"].max())
    calendar = pd.date_range(first, last, name="day")
    body = days.drop_duplicates("day", keep="last").set_index("day").sort_index()
    body = body[["resting_hr_bpm", "hrv_ms", "weight_kg"]].astype(float).where(lambda values: values > 0)
    readings = {sport: _readings(vo2max, sport) for sport in ("running", "cycling")}
    counts = {sport: rows["readings"].reindex(calendar, method="ffill").fillna(0) for sport, rows in readings.items()}
    rows = pd.DataFrame(index=calendar)
    rows[SPORT] = np.where(counts["cycling"] > counts["running"], "cycling", "running")
    active, told = calendar.isin(activities["day"]), calendar.isin(vo2max["day"])
    worn = calendar.isin(days["day"])
    day = calendar.to_series()
    last_active = day.where(active).ffill()
    unexplained = told & ~active & ~np.append(False, active[:-1])
    rows["lacking"] = day.where(unexplained).ffill().fillna(LONG_AGO) > last_active.fillna(LONG_AGO)
    last_trace = day.where(active | told | worn).ffill()
    rows["known"] = ((day - last_trace).dt.days <= 7) & ~rows["lacking"]
    parts = [
        _of_sport({sport: _daily_readings(found, calendar) for sport, found in readings.items()}, rows[SPORT]),
        *_training(_measured(activities, body["resting_hr_bpm"].dropna()), rows),
        _body(body, calendar),
    ]
    rows = pd.concat([rows, *parts], axis=1)
    rows["history_days"] = np.arange(len(rows), dtype=float)
    rows[EVENT_TIME] = calendar.strftime("%Y-%m-%dT00:00:00Z")
    return rows


def _readings(vo2max: pd.DataFrame, sport: str) -> pd.DataFrame:
    rows = vo2max[(vo2max["sport"] == sport) & (vo2max["vo2max"] > 0)]
    rows = rows.assign(is_precise=rows["is_precise"].astype(bool))
    rows = rows.sort_values(["day", "is_precise"], kind="stable").drop_duplicates("day", keep="last").set_index("day")
    value = rows["vo2max"].astype(float)
    found = pd.DataFrame({"vo2max_last": value, "reading_step": value.diff().fillna(0)})
    gap = (rows["activity_vo2max"].astype(float) - value).ffill().fillna(0)
    found["reading_activity_gap"] = gap
    found["reading_activity_gap_mean"] = gap.expanding().mean()
    found["reading_mean_30d_gap"] = value.rolling("30D").mean() - value
    found["reading_mean_90d_gap"] = value.rolling("90D").mean() - value
    found["reading_mean_all_gap"] = value.expanding().mean() - value
    change = _change_in_four_weeks(value)
    found["reading_volatility"] = change.expanding().mean()
    found["reading_pairs"] = change.notna().cumsum().astype(float)
    found["readings"] = np.arange(1.0, len(found) + 1)
    found["reading_day"] = found.index
    found["reading_history_days"] = (found["reading_day"] - found["reading_day"].min()).dt.days.astype(float)
    return found


def _change_in_four_weeks(value: pd.Series) -> pd.Series:
    wanted = pd.DataFrame({"wanted": value.index - pd.Timedelta(days=28), "now": value.to_numpy()})
    past = pd.DataFrame({"then_day": value.index, "then": value.to_numpy()})
    keys = {"left_on": "wanted", "right_on": "then_day", "tolerance": pd.Timedelta(days=7)}
    after = pd.merge_asof(wanted, past, direction="forward", **keys)
    before = pd.merge_asof(wanted, past, direction="backward", **keys)
    is_after = (after["then_day"] - after["wanted"]) <= (before["wanted"] - before["then_day"])
    then = after["then"].where(is_after | before["then"].isna(), before["then"])
    return pd.Series((wanted["now"] - then).abs().to_numpy(), index=value.index)


def _daily_readings(readings: pd.DataFrame, calendar: pd.DatetimeIndex) -> pd.DataFrame:
    rows = readings.reindex(calendar, method="ffill")
    rows["reading_age_days"] = (calendar.to_series() - rows.pop("reading_day")).dt.days.astype(float)
    rows[["readings", "reading_pairs"]] = rows[["readings", "reading_pairs"]].fillna(0)
    return rows


def _of_sport(by_sport: dict[str, pd.DataFrame], sport: pd.Series) -> pd.DataFrame:
    return by_sport["running"].where(sport == "running", by_sport["cycling"], axis=0)


def _measured(activities: pd.DataFrame, resting: pd.Series) -> pd.DataFrame:
    """The activities with their load and where it is from."""
    usual = pd.Series(USUAL_RESTING_HR_BPM, index=activities.index)
    if len(resting):
        mean = resting.rolling("60D").mean().reindex(activities["day"], method="ffill")
        usual = pd.Series(mean.fillna(USUAL_RESTING_HR_BPM).clip(30, 100).to_numpy(), index=activities.index)
    highest = activities.groupby("day")["max_hr_bpm"].transform("max").cummax().ffill().fillna(0)
    highest = highest.clip(*MAX_HR_RANGE_BPM)
    reserve = ((activities["avg_hr_bpm"] - usual) / (highest - usual)).clip(0, 1)
    trimp = activities["duration_s"].clip(lower=0) / 60 * reserve * 0.64 * np.exp(1.92 * reserve)
    told = activities["training_load"].where(activities["training_load"] >= 0)
    source = np.select([told.notna(), trimp.notna()], ["measured", "trimp"], "duration")
    return activities.assign(load=told.fillna(trimp).fillna(activities["by_duration"]), source=source)


def _training(activities: pd.DataFrame, rows: pd.DataFrame) -> list[pd.DataFrame]:
    calendar, sport = rows.index, rows[SPORT]
    by_source = activities.pivot_table(index="day", columns="source", values="load", aggfunc="sum")
    by_source = by_source.reindex(index=calendar, columns=["measured", "trimp", "duration"]).fillna(0)[rows["known"]]
    total = by_source.sum(axis=1)
    loads = pd.DataFrame({f"load_{days}d": _weighted(total, days) for days in (7, 14, 28, 42)})
    loads["load_balance"] = loads["load_42d"] - loads["load_7d"]
    loads["load_ramp_7d"] = loads["load_42d"].diff(7)
    loads["load_mean"] = total.expanding(7).mean()
    for source in ("measured", "trimp"):
        share = _weighted(by_source[source], 42) / loads["load_42d"].where(loads["load_42d"] > 0)
        loads[f"load_{source}_share"] = share.clip(0, 1)
    hours = activities.groupby("day")["hours"].sum().reindex(calendar).fillna(0).where(rows["known"])
    sessions = activities.groupby(["day", "family"]).size().unstack("family")
    sessions = sessions.reindex(index=calendar, columns=["running", "cycling"]).fillna(0)
    seen = {name: calendar.to_series().where(sessions[name] > 0).ffill() for name in sessions}
    sessions = sessions.where(~rows["lacking"])
    weekly = pd.DataFrame({"training_hours_21d": _lately(hours), "training_hours_mean": _so_far(hours)})
    for name, rate in (("sport_sessions_21d", _lately), ("sport_sessions_mean", _so_far)):
        weekly[name] = rate(sessions["running"]).where(sport == "running", rate(sessions["cycling"]))
    last = calendar.to_series().where(calendar.isin(activities["day"])).ffill()
    last_of_sport = seen["running"].where(sport == "running", seen["cycling"])
    since = pd.DataFrame({"days_since_activity": last, "days_since_sport": last_of_sport})
    since = since.apply(lambda days: (calendar.to_series() - days).dt.days.astype(float)).where(~rows["lacking"])
    return [loads.reindex(calendar), weekly, since]


def _weighted(load: pd.Series, time_constant_days: int) -> pd.Series:
    return load.ewm(alpha=1 - np.exp(-1 / time_constant_days), min_periods=7).mean()


def _lately(daily: pd.Series) -> pd.Series:
    return 7 * daily.rolling(21, min_periods=7).mean()


def _so_far(daily: pd.Series) -> pd.Series:
    return 7 * daily.expanding(7).mean()


def _body(body: pd.DataFrame, calendar: pd.DatetimeIndex) -> pd.DataFrame:
    daily = body.reindex(body.index.union(calendar))
    rows = pd.DataFrame(index=calendar)
    for name, column in (("resting_hr", "resting_hr_bpm"), ("hrv", "hrv_ms")):
        week = daily[column].rolling("7D", min_periods=3).mean()
        rows[f"{name}_7d"] = week.reindex(calendar)
        rows[f"{name}_7d_vs_60d"] = (week - daily[column].rolling("60D", min_periods=14).mean()).reindex(calendar)
    rows["weight_kg"] = body["weight_kg"].reindex(calendar).ffill(limit=30)
    return rows
