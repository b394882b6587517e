"""Whether bands cover what they promise: a statement about athletes, not about rows."""

import math
from dataclasses import dataclass

import numpy as np

from include.forecast.horizon import Array

PROMISED_90 = (0.87, 0.94)
"""Where the true coverage of a 90 % band may lie."""
FEWEST_ATHLETES = 3
FEWEST_WINDOWS = 20.0
_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""97.5 % points of Student's t for 1 to 10 degrees of freedom."""


@dataclass(frozen=True)
class Coverage:
    """Observed share inside the 90 % bands with its 95 % interval; verdict `fit`, `unfit` or `unknown`."""

    observed: float
    low: float
    high: float
    verdict: str


def judge(by_athlete: Array, windows: float) -> Coverage:
    """Compare the mean coverage of athletes with the promise.

    The standard error is the larger of the spread between athletes and that of `windows` independent trials, so that
    four athletes who agree by chance do not look certain. `unknown` below FEWEST_ATHLETES or FEWEST_WINDOWS; else
    `unfit` only where the interval lies wholly outside PROMISED_90.
    """
    athletes = len(by_athlete)
    observed = float(np.mean(by_athlete)) if athletes else math.nan
    if athletes < FEWEST_ATHLETES or windows < FEWEST_WINDOWS:
        return Coverage(observed, 0.0, 1.0, "unknown")
    between = float(np.var(by_athlete, ddof=1)) / athletes
    within = 0.9 * 0.1 / windows
    reach = t_975(athletes - 1) * math.sqrt(max(between, within))
    low, high = max(observed - reach, 0.0), min(observed + reach, 1.0)
    fits = high >= PROMISED_90[0] and low <= PROMISED_90[1]
    return Coverage(observed, low, high, "fit" if fits else "unfit")


def t_975(degrees: int) -> float:
    """97.5 % point of Student's t."""
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    return 1.96 + 2.4 / degrees + 3.0 / degrees**2
