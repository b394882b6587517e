"""How good forecasts are: a score per row, and the skill of one method against another."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.distribution import Predictive, crps, median_error
from include.forecast.horizon import Array

SMALLEST_SCORE = 0.05
"""ml/kg/min, half a step of a precise reading: a flat series makes persistence's score 0, and a skill against 0 means
nothing."""


@dataclass(frozen=True)
class Scores:
    """Scores of one method, a value per row (ml/kg/min).

    Each is proper for what it scores: `error` = target - mean of the distribution, `absolute_error` = distance of the
    target from its median, `crps` of all of it.
    """

    error: Array
    absolute_error: Array
    crps: Array
    inside_80: Array
    inside_90: Array
    width_90: Array

    def where(self, mask: npt.NDArray[Any]) -> "Scores":
        return Scores(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def score(predictive: Predictive, change: Array) -> Scores:
    """The scores of predictive distributions; `change` is what came."""
    error = change - predictive.mean
    width = predictive.half_width
    return Scores(
        error=error,
        absolute_error=np.abs(median_error(predictive, change)),
        crps=crps(predictive, change),
        inside_80=(np.abs(error) <= width[:, -2] + 1e-9).astype(float),
        inside_90=(np.abs(error) <= width[:, -1] + 1e-9).astype(float),
        width_90=2.0 * width[:, -1],
    )


def concatenate(parts: list[Scores]) -> Scores:
    return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in Scores.__dataclass_fields__))


def skill(method: Array, reference: Array, shares: Array, root: bool = False) -> Array:
    """1 - score / reference for each row of shares, from athletes' mean scores; `root` for mean squared errors."""
    floor = SMALLEST_SCORE**2 if root else SMALLEST_SCORE
    ratio = np.maximum(shares @ method, floor) / np.maximum(shares @ reference, floor)
    gained: Array = 1.0 - (np.sqrt(ratio) if root else ratio)
    return gained
