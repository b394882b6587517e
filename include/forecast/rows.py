"""Rows of a dataset as arrays: what model, intervals and scores work on (numpy alone)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.features.schema import NAMES
from include.forecast.horizon import Array
from include.forecast.volatility import Pooling


@dataclass(frozen=True)
class Rows:
    """One row per origin and target. `athlete` tells rows apart for weights and clusters; it is never a model input.

    `change` = target reading - last reading known at the origin (ml/kg/min); `features` has the schema's columns.
    """

    athlete: npt.NDArray[Any]
    origin_day: npt.NDArray[np.datetime64]
    target_day: npt.NDArray[np.datetime64]
    horizon_days: Array
    features: Array
    change: Array

    def __len__(self) -> int:
        return len(self.change)

    def column(self, name: str) -> Array:
        column: Array = self.features[:, NAMES.index(name)]
        return column

    def where(self, mask: npt.NDArray[Any]) -> "Rows":
        """The rows of a boolean mask or index array."""
        return Rows(
            self.athlete[mask], self.origin_day[mask], self.target_day[mask],
            self.horizon_days[mask], self.features[mask], self.change[mask],
        )  # fmt: skip

    def volatility(self, pooling: Pooling) -> Array:
        return volatility_of(self.features, pooling)


def volatility_of(features: Array, pooling: Pooling) -> Array:
    """Pooled volatility of each row of a feature matrix."""
    own, pairs, span = (
        features[:, NAMES.index(name)] for name in ("reading_volatility", "reading_pairs", "reading_history_days")
    )
    return pooling.pooled(own, pairs, span)


def athlete_weights(athlete: npt.NDArray[Any]) -> Array:
    """Weights with mean 1 under which every athlete counts the same."""
    if not len(athlete):
        return np.zeros(0)
    _, inverse, count = np.unique(athlete, return_inverse=True, return_counts=True)
    weights: Array = len(athlete) / (len(count) * count[inverse].astype(float))
    return weights
