"""The athlete's own volatility, partially pooled: few readings lean on the other athletes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.horizon import Array

USUAL_VOLATILITY = 1.3
"""ml/kg/min over 28 d, for a first model without any pair of readings; from published series, mean absolute 0.4–2.0."""
PRIOR_PAIRS = 8.0
ROUNDING_FLOOR = 0.3
"""ml/kg/min: whole-number readings cannot tell less (1/√12)."""


@dataclass(frozen=True)
class Pooling:
    """pooled² = (pairs × own² + prior_pairs × usual²) / (pairs + prior_pairs), never below the floor."""

    usual: float = USUAL_VOLATILITY
    prior_pairs: float = PRIOR_PAIRS
    floor: float = ROUNDING_FLOOR

    def pooled(self, volatility: npt.ArrayLike, pairs: npt.ArrayLike, history_days: npt.ArrayLike) -> Array:
        """Pooled volatility (ml/kg/min over 28 d); overlapping pairs count once a week of reading history."""
        own: Any = np.nan_to_num(np.asarray(volatility, dtype=float))
        weight: Any = np.minimum(np.asarray(pairs, dtype=float), np.asarray(history_days, dtype=float) / 7.0)
        mean_square = (weight * own**2 + self.prior_pairs * self.usual**2) / (weight + self.prior_pairs)
        result: Array = np.maximum(np.sqrt(mean_square), self.floor)
        return result


def fit_pooling(volatility: Array, athlete: npt.NDArray[Any]) -> Pooling:
    """The usual volatility: root of the mean over athletes of each one's mean square; the default without any."""
    squares = [
        float(np.nanmean(volatility[athlete == one] ** 2))
        for one in np.unique(athlete)
        if not np.isnan(volatility[athlete == one]).all()
    ]
    return Pooling(usual=max(float(np.sqrt(np.mean(squares))), ROUNDING_FLOOR)) if squares else Pooling()
