"""Whether the bands keep their word at every level, not at 90 % alone."""

import numpy as np

from include.forecast.distribution import LEVELS, Predictive
from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.resampling import by_athlete
from include.forecast.rows import Rows

_SHOWN = slice(2, -2, 5)
"""Of the evenly spaced levels: 5 %, 15 %, … 95 %."""


def calibration(served: Predictive, rows: Rows) -> dict[str, list[dict[str, float]]]:
    """By bucket, the share of readings inside the central band of each level, under what was served.

    Athletes count the same; a bucket without rows is left out.
    """
    bucket = bucket_index(rows.horizon_days)
    inside = np.abs(rows.change - served.mean)[:, None] <= served.half_width[:, _SHOWN] + 1e-9
    curves = {}
    for index, name in enumerate(BUCKETS):
        mine = bucket == index
        if mine.any():
            observed = [by_athlete(column[mine].astype(float), rows.athlete[mine]).mean() for column in inside.T]
            curves[name] = [
                {"level": float(level), "observed": float(share)}
                for level, share in zip(LEVELS[_SHOWN], observed, strict=True)
            ]
    return curves
