"""Random numbers that depend on (seed, athlete, day) alone, so that a day is the same whatever range is asked."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

EPOCH = date(2008, 1, 7)
"""A Monday long before any history that is handed out: every athlete's life begins here."""
_BLOCK = 512


def day_number(day: date) -> int:
    return (day - EPOCH).days


class Chance:
    """The random numbers of one athlete, in named streams."""

    def __init__(self, seed: int, athlete: int) -> None:
        self._key = (seed, athlete)

    def traits(self) -> np.random.Generator:
        """For what an athlete is, rather than what happens on a day."""
        return np.random.default_rng([*self._key, 0])

    def uniform(self, stream: int, count: int, columns: int) -> Floats:
        """`count` rows (of days, or of longer periods) in [0, 1); row i is the same for every `count` > i."""
        blocks = range((count + _BLOCK - 1) // _BLOCK)
        drawn = [np.random.default_rng([*self._key, 1, stream, block]).random((_BLOCK, columns)) for block in blocks]
        return np.concatenate(drawn)[:count]

    def normal(self, stream: int, count: int, columns: int) -> Floats:
        """As `uniform`, standard normal."""
        blocks = range((count + _BLOCK - 1) // _BLOCK)
        drawn = [
            np.random.default_rng([*self._key, 2, stream, block]).standard_normal((_BLOCK, columns)) for block in blocks
        ]
        return np.concatenate(drawn)[:count]
