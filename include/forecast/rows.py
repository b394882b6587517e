"""Rows of a dataset as arrays: what model, intervals and scores work on (numpy alone)."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from include.features.schema import NAMES
from include.forecast.horizon import Array
from include.forecast.volatility import Pooling

WHOLE_NUMBER_TOLERANCE = 1e-6
WINDOW_DAYS = 28
ENOUGH_WINDOWS = 10.0
"""Windows with which an athlete counts in full: a few weeks of one athlete must not weigh like years of another."""


@dataclass(frozen=True)
class Rows:
    """One row per origin and target. `athlete` tells rows apart for weights and clusters; it is never a model input.

    Attributes:
        features: the schema's columns, as known at the origin.
        change: target reading - last reading known at the origin (ml/kg/min).
        load_ahead: mean training load a day from the day after the origin to the target, NaN where it is not known.
            It lies in the future: only what-if and the scenario of a known load may look at it.
        level_gap: filtered level (series.LEVEL_RATIO) - last reading, for the baseline of a local level.
    """

    athlete: npt.NDArray[Any]
    origin_day: npt.NDArray[np.datetime64]
    target_day: npt.NDArray[np.datetime64]
    horizon_days: Array
    features: Array
    change: Array
    load_ahead: Array
    level_gap: Array

    def __len__(self) -> int:
        return len(self.change)

    def column(self, name: str) -> Array:
        column: Array = self.features[:, NAMES.index(name)]
        return column

    def where(self, mask: npt.NDArray[Any] | slice) -> "Rows":
        """The rows of a boolean mask, index array or slice."""
        return Rows(*(getattr(self, field.name)[mask] for field in fields(self)))

    def volatility(self, pooling: Pooling) -> Array:
        return volatility_of(self.features, pooling)

    @property
    def is_whole(self) -> npt.NDArray[np.bool_]:
        """Whether the last reading is a whole number: most watches tell nothing finer, and the next will be one too."""
        return is_whole(self.column("vo2max_last"))


@dataclass(frozen=True)
class Pairs:
    """Athlete, origin and target of rows: what a dataset is cut by. `athlete` numbers the names in order."""

    athlete: npt.NDArray[np.int64]
    origin_day: npt.NDArray[np.datetime64]
    target_day: npt.NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.athlete)

    def where(self, mask: npt.NDArray[Any] | slice) -> "Pairs":
        """The rows of a boolean mask, index array or slice."""
        return Pairs(self.athlete[mask], self.origin_day[mask], self.target_day[mask])


def concatenate(parts: list[Rows]) -> Rows:
    """All rows of one or more parts, in their order."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))


def is_whole(reading: Array) -> npt.NDArray[np.bool_]:
    whole: npt.NDArray[np.bool_] = np.abs(reading - np.round(reading)) < WHOLE_NUMBER_TOLERANCE
    return whole


def volatility_of(features: Array, pooling: Pooling) -> Array:
    """Pooled volatility of each row of a feature matrix."""
    own, pairs, span = (
        features[:, NAMES.index(name)] for name in ("reading_volatility", "reading_pairs", "reading_history_days")
    )
    return pooling.pooled(own, pairs, span)


def windows_by_athlete(athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64]) -> Array:
    """How many stretches of WINDOW_DAYS hold an origin, for each athlete in the order of sorted names."""
    if not len(athlete):
        return np.zeros(0)
    names, number = np.unique(athlete, return_inverse=True)
    block = origin_day.astype("datetime64[D]").astype(np.int64) // WINDOW_DAYS
    block -= block.min()
    pairs = np.unique(number * (int(block.max()) + 1) + block)
    counts: Array = np.bincount(pairs // (int(block.max()) + 1), minlength=len(names)).astype(float)
    return counts


def athlete_weights(athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64]) -> Array:
    """Weights under which every athlete counts the same, 1 in all, but one with fewer than ENOUGH_WINDOWS less."""
    if not len(athlete):
        return np.zeros(0)
    _, inverse, count = np.unique(athlete, return_inverse=True, return_counts=True)
    worth = np.minimum(windows_by_athlete(athlete, origin_day) / ENOUGH_WINDOWS, 1.0)
    weights: Array = (worth / count)[inverse]
    return weights
