"""Horizons and their buckets, and how uncertainty grows with them."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

BUCKETS: dict[str, tuple[int, int]] = {"1-7": (1, 7), "8-14": (8, 14), "15-28": (15, 28), "29-42": (29, 42)}
MAX_HORIZON_DAYS = 42
MAX_LAG_DAYS = 45
"""A target may lie 3 days past the last horizon; such lags belong to the last bucket."""
LAST_DAYS = (*[end for _, end in BUCKETS.values()][:-1], MAX_LAG_DAYS)
"""Of each bucket, the last day or lag that belongs to it."""


def bucket_index(horizon_days: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Index into BUCKETS of each horizon (1 d or more; lags past 42 d belong to the last)."""
    return np.searchsorted(LAST_DAYS[:-1], np.asarray(horizon_days), side="left")


def growth(horizon_days: npt.ArrayLike, reading_age_days: npt.ArrayLike) -> Array:
    """Uncertainty of a change against that of 28 d: a random walk since the last reading, plus the reading's noise."""
    lag: Any = np.asarray(horizon_days, dtype=float) + np.asarray(reading_age_days, dtype=float)
    spread: Array = np.sqrt((lag + 3.0) / 31.0)
    return spread
