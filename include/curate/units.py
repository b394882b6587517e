"""Stretches of a history that were written in another unit, found by their ratios alone.

Some accounts mix kcal with kJ, or metres with centimetres, by year. One activity says little (an easy hour in kJ
looks like a hard one in kcal), a stretch of them says it plainly: the two most probable states along the history,
with a price on every switch (Viterbi), and a bar that the stretch's median must pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SWITCH_COST = 8.0
START_COST = 4.0
MOST_EVIDENCE = 3.0
"""A single activity moves the log-odds by this at most: no outlier flips a stretch."""


@dataclass(frozen=True)
class UnitRule:
    """How the ratio of columns `value` and `per` behaves in the right unit; the wrong one is larger by `factor`."""

    name: str
    value: str
    per: str
    factor: float
    usual: float
    log_spread: float
    least_median: float
    """A stretch is foreign only when its median ratio is above this, which no right-unit history reaches."""
    impossible: float
    """A single value above this is foreign by itself."""


KJ = UnitRule(
    "calories_kj_to_kcal",
    "energy_kcal",
    "duration_s",
    factor=4.184,
    usual=9.0 / 60,
    log_spread=0.5,
    least_median=20.0 / 60,
    impossible=35.0 / 60,
)
"""Energy per second (kcal/s). 20 kcal/min over months, or 35 in one activity, no athlete burns."""
FASTEST_CLIMB_MPS = 0.65
"""On foot or by bike nobody climbs faster: the record for 1000 m straight up is 0.58 m/s."""
CM = UnitRule(
    "elevation_cm_to_m",
    "elevation_gain_m",
    "distance_m",
    factor=100.0,
    usual=0.01,
    log_spread=1.5,
    least_median=0.2,
    impossible=0.7,
)
"""Climb per distance (m/m). Uphill races reach 0.5; over months a mountaineer stays below 0.2."""


def foreign(ratios: NDArray[np.float64], rule: UnitRule, surely: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of `ratios` (in order of time) are in the unit larger by `rule.factor`.

    One that is NaN or not positive is no evidence, and goes with its neighbours when they agree. `surely` marks
    values that are foreign whatever the rest says.
    """
    known = np.isfinite(ratios) & (ratios > 0)
    if not known.any():
        return surely.copy()
    values = ratios[known]
    if values.max() <= rule.usual * rule.factor**0.5 and not surely.any():
        return surely.copy()  # none is nearer to the wrong unit than to the right one
    states = _states(np.log(values), rule)
    for start, stop in _stretches(states):
        if np.median(values[start:stop]) < rule.least_median:
            states[start:stop] = False
    result = np.zeros(len(ratios), dtype=bool)
    result[known] = states
    before = np.maximum(np.cumsum(known) - 1, 0)
    after = np.minimum(np.cumsum(known), len(states) - 1)
    unknown = ~known
    result[unknown] = states[before[unknown]] & states[after[unknown]]
    result[known] |= values > rule.impossible
    return result | surely


def _states(log_ratios: NDArray[np.float64], rule: UnitRule) -> NDArray[np.bool_]:
    centre = np.log(rule.usual)
    right = ((log_ratios - centre) / rule.log_spread) ** 2 / 2
    wrong = ((log_ratios - centre - np.log(rule.factor)) / rule.log_spread) ** 2 / 2
    evidence = np.clip(right - wrong, -MOST_EVIDENCE, MOST_EVIDENCE).tolist()
    # Cost of being foreign relative to being right, step by step; `came_from` remembers the better predecessor.
    came_from: list[tuple[bool, bool]] = []
    right_cost, wrong_cost = 0.0, START_COST
    for gain in evidence:
        stay_right, from_wrong = right_cost, wrong_cost + SWITCH_COST
        stay_wrong, from_right = wrong_cost, right_cost + SWITCH_COST
        came_from.append((from_wrong < stay_right, stay_wrong <= from_right))
        right_cost, wrong_cost = min(stay_right, from_wrong), min(stay_wrong, from_right) - gain
    states = np.zeros(len(evidence), dtype=bool)
    state = wrong_cost < right_cost
    for step in range(len(evidence) - 1, -1, -1):
        states[step] = state
        state = came_from[step][state]
    return states


def _stretches(states: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], states, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
