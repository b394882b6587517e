"""Groups for out-of-fold errors: other athletes where there are enough, else other times of the same athletes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from include.forecast.rows import Rows

FEWEST_ATHLETES = 3
MOST_GROUPS = 10
_BLOCKS = 4

Mask = npt.NDArray[np.bool_]


def leave_out(rows: Rows) -> Iterator[tuple[Mask, Mask]]:
    """(rows to learn from, rows to be judged) of each group; every row is judged once.

    With FEWEST_ATHLETES or more a group is a tenth of the athletes, or one. With fewer it is a stretch of time, and
    rows whose window from origin to target touches it are not learnt from.
    """
    names, number = np.unique(rows.athlete, return_inverse=True)
    if len(names) >= FEWEST_ATHLETES:
        group = number % min(len(names), MOST_GROUPS)
        for index in np.unique(group):
            yield group != index, group == index
        return
    yield from _blocks_of_time(rows)


def _blocks_of_time(rows: Rows) -> Iterator[tuple[Mask, Mask]]:
    days: npt.NDArray[Any] = np.unique(rows.origin_day)
    for block in np.array_split(days, _BLOCKS):
        if len(block):
            judged = (rows.origin_day >= block[0]) & (rows.origin_day <= block[-1])
            last_target = rows.target_day[judged].max()
            yield (rows.target_day < block[0]) | (rows.origin_day > last_target), judged
