"""Which days the tables tell the training of: a missing day is not a rest day, nor is one whose activity is missing."""

import numpy as np
import pandas as pd

REST_DAYS = 7
"""A day without any trace of the watch is rest for so many days after the last trace; after that it is unknown."""


def load_is_known(
    index: pd.DatetimeIndex, activities: pd.DataFrame, days: pd.DataFrame, vo2max: pd.DataFrame
) -> pd.Series:
    """Whether the watch left a trace that day or no more than REST_DAYS before."""
    seen = index.isin(pd.concat([activities["day"], days["day"], vo2max["day"]]))
    return pd.Series(np.arange(len(index)) - _last(seen) <= REST_DAYS, index=index)


def lacks_activities(index: pd.DatetimeIndex, activities: pd.DataFrame, vo2max: pd.DataFrame) -> pd.Series:
    """Whether activities are missing: from a reading without one, that day or the day before, until the next activity.

    A watch estimates VO2max from activities alone, so there was one that the tables do not have: the download or the
    export is of part of the account.
    """
    active, told = index.isin(activities["day"]), index.isin(vo2max["day"])
    explained = active | np.append(False, active[:-1])
    return pd.Series(_last(told & ~explained) > _last(active), index=index)


def _last(happens: np.ndarray) -> np.ndarray:
    """Position of the last day on which it happened, on each day; far in the past where it never did."""
    latest: np.ndarray = np.maximum.accumulate(np.where(happens, np.arange(len(happens)), -1_000_000))
    return latest
