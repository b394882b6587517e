"""The methods that a forecast is combined from: what each expects of a row, and how surely."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from include.features.schema import NAMES
from include.forecast.horizon import Array

if TYPE_CHECKING:
    from include.forecast.forecaster import Forecaster

FORECASTER = "forecaster"
PERSISTENCE = "persistence"
NO_REVERSION = "no_reversion"
"""The forecaster without its pull to the athlete's own mean: for an athlete who leaves that mean behind."""
DAMPED_DRIFT = "damped_drift"
METHODS = (FORECASTER, PERSISTENCE, NO_REVERSION, DAMPED_DRIFT)
BANDS_OF = {
    FORECASTER: FORECASTER,
    NO_REVERSION: FORECASTER,
    PERSISTENCE: PERSISTENCE,
    DAMPED_DRIFT: PERSISTENCE,
}
"""Whose bands a method has: they are calibrated for those two."""

DAMPING = 0.95
"""Of the drift, a day: half of it is gone after two weeks. One that goes on longer scores worse on real athletes."""
_APART_DAYS = 30.0
"""Between the middles of the 30 d and of the 60 d before them, less a little for the overlap."""
_MEAN_30D, _MEAN_90D = NAMES.index("reading_mean_30d_gap"), NAMES.index("reading_mean_90d_gap")


def damped_drift(features: Array, horizon_days: Array) -> Array:
    """Expected change (ml/kg/min) when the drift of the last months goes on, ever less."""
    drift = (features[:, _MEAN_30D] - features[:, _MEAN_90D]) / _APART_DAYS
    days: Array = DAMPING * (1.0 - DAMPING**horizon_days) / (1.0 - DAMPING)
    change: Array = drift * days
    return change


def mixed(weights: Array, bands: Mapping[str, Array]) -> Array:
    """Half widths of the mixture of quantiles: the mean of the methods' by the weights of each row.

    Args:
        weights: a column per method of METHODS.
        bands: half widths by what is calibrated (BANDS_OF), a row per row of weights.
    """
    shares = {
        kind: weights[:, [METHODS.index(name) for name in METHODS if BANDS_OF[name] == kind]].sum(axis=1)
        for kind in bands
    }
    total: Array = sum((share[:, None] * bands[kind] for kind, share in shares.items()), np.zeros(()))
    return total


def changes(forecaster: "Forecaster", features: Array, horizon_days: Array) -> Array:
    """Expected change (ml/kg/min) of each row, a column per method of METHODS."""
    volatility = forecaster.volatility(features)
    expected: dict[str, Callable[[], Array]] = {
        FORECASTER: lambda: forecaster.model.change(features, horizon_days, volatility),
        PERSISTENCE: lambda: np.zeros(len(features)),
        NO_REVERSION: lambda: forecaster.model.without_reversion().change(features, horizon_days, volatility),
        DAMPED_DRIFT: lambda: damped_drift(features, horizon_days),
    }
    return np.column_stack([expected[name]() for name in METHODS])
