"""The athlete's own volatility, partially pooled: few readings lean on the other athletes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import Array

USUAL_VOLATILITY = 1.3
"""ml/kg/min over 28 d, for a first model without any pair of readings; from published series, mean absolute 0.4–2.0."""
PRIOR_PAIRS = 8.0
ROUNDING_FLOOR = 0.41
"""ml/kg/min: the difference of two whole-number readings has this error by rounding alone (√(2/12))."""
MOST_TIMES_USUAL = 3.0
"""An athlete's own volatility counts as no more times the usual one: one impossible history must not widen others."""
DEVIATION_OF_MEAN_ABSOLUTE = 1.2533
"""√(π/2): the standard deviation of a normal change with mean absolute 1. A first reading that is far off (a new watch
still learning its wearer) moves the mean absolute change far less than the root mean square."""


@dataclass(frozen=True)
class Pooling:
    """pooled = (pairs × own + prior_pairs × usual) / (pairs + prior_pairs), never below the floor."""

    usual: float = USUAL_VOLATILITY
    prior_pairs: float = PRIOR_PAIRS
    floor: float = ROUNDING_FLOOR

    def pooled(self, mean_absolute: npt.ArrayLike, pairs: npt.ArrayLike, history_days: npt.ArrayLike) -> Array:
        """Pooled volatility: a robust standard deviation of the change over 28 d (ml/kg/min).

        `mean_absolute` is the feature `reading_volatility`; overlapping pairs count once a week of reading history.
        """
        own: Any = np.nan_to_num(np.asarray(mean_absolute, dtype=float)) * DEVIATION_OF_MEAN_ABSOLUTE
        weight: Any = np.minimum(np.asarray(pairs, dtype=float), np.asarray(history_days, dtype=float) / 7.0)
        mean = (weight * own + self.prior_pairs * self.usual) / (weight + self.prior_pairs)
        result: Array = np.maximum(mean, self.floor)
        return result


def fit_pooling(mean_absolute: Array, weight: Array, usual: float = USUAL_VOLATILITY, athletes: float = 0.0) -> Pooling:
    """The usual volatility: the weighted mean of rows' own, and of so many other athletes whose usual one is known.

    Args:
        mean_absolute: the feature `reading_volatility` of each row.
        weight: what each row counts: 1 in all for an athlete.
        usual: volatility of the other athletes; it alone counts where no row has a pair of readings.
    """
    known = ~np.isnan(mean_absolute) & (weight > 0)
    own = float(weight[known].sum())
    if own + athletes <= 0:
        return Pooling(usual=usual)
    own_volatility = np.minimum(mean_absolute[known] * DEVIATION_OF_MEAN_ABSOLUTE, MOST_TIMES_USUAL * usual)
    total = float(weight[known] @ own_volatility)
    return Pooling(usual=max((total + athletes * usual) / (own + athletes), ROUNDING_FLOOR))
