"""What the readings of one series (one athlete, one sport) say on each day."""

import numpy as np
import pandas as pd

SPORTS = ("running", "cycling")
VOLATILITY_LAG_DAYS = 28
VOLATILITY_TOLERANCE_DAYS = 7


def one_series(vo2max: pd.DataFrame, sport: str) -> pd.DataFrame:
    """Readings of a sport by day, one a day: the precise one where there is one, else the last listed.

    Columns `vo2max` and `activity_vo2max` (what an activity of the day told by itself, NaN where none did).
    """
    rows = vo2max[(vo2max["sport"] == sport) & (vo2max["vo2max"] > 0)].copy()
    rows["precise"] = rows["is_precise"].map(lambda value: str(value).lower() in ("true", "1", "1.0"))
    rows = rows.sort_values(["day", "precise"], kind="stable").drop_duplicates("day", keep="last")
    values = rows[["vo2max", "activity_vo2max"]].astype(float)
    return values.set_axis(pd.DatetimeIndex(rows["day"]), axis="index")


def reading_features(readings: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """The reading features on every day of `days`, from the readings up to and including that day."""
    at = (readings.index.to_numpy() - np.datetime64("1970-01-01")).astype("timedelta64[D]").astype(np.int64)
    value, number = readings["vo2max"].to_numpy(), np.arange(1.0, len(readings) + 1.0)
    activity_gap = (readings["activity_vo2max"] - readings["vo2max"]).ffill().fillna(0.0).to_numpy()
    pairs, volatility = _volatility(at, value)
    table = pd.DataFrame(
        {
            "vo2max_last": value,
            "reading_step": np.diff(value, prepend=value[:1]),
            "reading_activity_gap": activity_gap,
            "reading_activity_gap_mean": np.cumsum(activity_gap) / number,
            "reading_mean_30d_gap": _window_mean(at, value, 30) - value,
            "reading_mean_90d_gap": _window_mean(at, value, 90) - value,
            "reading_mean_all_gap": _window_mean(at, value, 1_000_000) - value,
            "reading_volatility": volatility,
            "reading_pairs": pairs.astype(float),
            "readings": number,
            "reading_history_days": (at - at[0] if len(at) else at).astype(float),
            "reading_day": at.astype(float),
        },
        index=readings.index,
    ).reindex(days, method="ffill")
    today = (days.to_numpy() - np.datetime64("1970-01-01")).astype("timedelta64[D]").astype(np.int64)
    table["reading_age_days"] = today - table.pop("reading_day")
    table[["readings", "reading_pairs"]] = table[["readings", "reading_pairs"]].fillna(0.0)
    return table


def _window_mean(at: np.ndarray, value: np.ndarray, days: int) -> np.ndarray:
    """Mean of the readings in the `days` days that end with each reading."""
    total = np.concatenate([[0.0], np.cumsum(value)])
    first = np.searchsorted(at, at - days, side="right")
    last = np.arange(1, len(at) + 1)
    mean: np.ndarray = (total[last] - total[first]) / np.maximum(last - first, 1)
    return mean


def _volatility(at: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of pairs so far, and mean absolute change over them; a pair is a reading with the one ~28 d before."""
    if not len(at):
        return np.zeros(0), np.zeros(0)
    wanted = at - VOLATILITY_LAG_DAYS
    after = np.clip(np.searchsorted(at, wanted), 0, len(at) - 1)
    before = np.clip(after - 1, 0, None)
    partner = np.where(np.abs(at[after] - wanted) <= np.abs(at[before] - wanted), after, before)
    is_pair = np.abs(at[partner] - wanted) <= VOLATILITY_TOLERANCE_DAYS
    pairs = np.cumsum(is_pair)
    changes = np.cumsum(np.where(is_pair, np.abs(value - value[partner]), 0.0))
    return pairs, np.divide(changes, pairs, out=np.full(len(at), np.nan), where=pairs > 0)
