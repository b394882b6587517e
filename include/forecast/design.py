"""Model inputs from features and horizon, on the athlete's own scale (no identity, no calendar)."""

import numpy as np

from include.features.schema import NAMES
from include.forecast.horizon import Array

INPUTS = (
    "horizon_days", "reading_age_days", "mean_30d_gap", "mean_90d_gap", "mean_all_gap",
    "load_balance", "load_14d_excess", "load_28d_excess", "load_42d_ratio", "load_ramp_7d",
    "days_since_activity", "days_since_sport", "resting_hr_7d_vs_60d", "hrv_7d_vs_60d",
)  # fmt: skip
"""Reading gaps are in units of the pooled volatility, loads in units of the athlete's mean load."""
_MAX_DAYS = 60.0


def design_matrix(features: Array, horizon_days: Array, volatility: Array) -> Array:
    """One row of INPUTS for each row of `features` (schema order); NaN where unknown."""

    def column(name: str) -> Array:
        one: Array = features[:, NAMES.index(name)]
        return one

    mean_load = column("load_mean")
    mean_load = np.where(mean_load > 0, mean_load, np.nan)
    usual = column("load_42d")
    hrv_mean = column("hrv_7d") - column("hrv_7d_vs_60d")
    hrv_mean = np.where(hrv_mean > 0, hrv_mean, np.nan)
    return np.column_stack(
        [
            horizon_days,
            np.minimum(column("reading_age_days"), _MAX_DAYS),
            column("reading_mean_30d_gap") / volatility,
            column("reading_mean_90d_gap") / volatility,
            column("reading_mean_all_gap") / volatility,
            column("load_balance") / mean_load,
            (column("load_14d") - usual) / mean_load,
            (column("load_28d") - usual) / mean_load,
            usual / mean_load,
            column("load_ramp_7d") / mean_load,
            np.minimum(column("days_since_activity"), _MAX_DAYS),
            np.minimum(column("days_since_sport"), _MAX_DAYS),
            column("resting_hr_7d_vs_60d"),
            column("hrv_7d_vs_60d") / hrv_mean,
        ]
    )
