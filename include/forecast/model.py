"""The forecaster's mean: a linear core, trees on top where they pay."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from include.forecast import trees
from include.forecast.design import INPUTS, design_matrix
from include.forecast.groups import Mask, leave_out
from include.forecast.horizon import Array
from include.forecast.linear import penalty, solve
from include.forecast.rows import Rows, athlete_weights, windows_by_athlete
from include.forecast.volatility import Pooling

if TYPE_CHECKING:
    import xgboost

MAX_SCALED_CHANGE = 4.0
"""Changes beyond 4 volatilities (a new watch, a corrected profile) teach no more than 4."""


@dataclass(frozen=True)
class ChangeModel:
    """`coefficients` by INPUTS, in volatilities; the booster takes the core's prediction as its margin."""

    coefficients: Array
    booster: "xgboost.Booster"

    def change(self, features: Array, horizon_days: Array, volatility: Array) -> Array:
        """Expected change from the last reading (ml/kg/min)."""
        if not len(features):
            return np.zeros(0)
        scaled = design_matrix(features, horizon_days, volatility) @ self.coefficients
        if self.booster.num_boosted_rounds():
            scaled = trees.predict(self.booster, trees.tree_inputs(features, horizon_days, volatility), scaled)
        change: Array = scaled * volatility
        return change

    def without_reversion(self) -> "ChangeModel":
        """The same model that leaves the athlete's own mean out of account."""
        kept = np.array([0.0 if name == "own_mean" else 1.0 for name in INPUTS])
        return ChangeModel(self.coefficients * kept, self.booster)


@dataclass(frozen=True)
class Fitted:
    """A model, its out-of-fold change of each training row (ml/kg/min), and what should be said of it."""

    model: ChangeModel
    out_of_fold: Array
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prior:
    """What the coefficients are expected to be, by input, how uncertain that is, and how much athletes differ."""

    expected: Array
    spread: Array
    differs: Array


def solve_for(rows: Rows, inputs: Array, target: Array, weight: Array, prior: Prior, mask: Mask | None = None) -> Array:
    """Coefficients from the rows of a mask, held to the prior as far as they are little evidence."""
    known = slice(None) if mask is None else mask
    ridge = ridge_of(rows.athlete[known], rows.origin_day[known], prior)
    return solve(inputs[known], target[known], weight[known], ridge, prior.expected)


def ridge_of(athlete: npt.NDArray[Any], origin_day: npt.NDArray[np.datetime64], prior: Prior) -> Array:
    """How firmly the coefficients that rows of these athletes and days give are held to the prior."""
    windows = windows_by_athlete(athlete, origin_day)
    return penalty(float(windows.sum()), len(windows), prior.spread, prior.differs)


def fit(rows: Rows, pooling: Pooling, seed: int, prior: Prior, may_have_trees: bool = True) -> Fitted:
    """Core and trees; the same rows and seed give the same bytes. Without rows the core is what is expected."""
    weight, volatility = athlete_weights(rows.athlete, rows.origin_day), rows.volatility(pooling)
    inputs = design_matrix(rows.features, rows.horizon_days, volatility)
    target = np.clip(rows.change / volatility, -MAX_SCALED_CHANGE, MAX_SCALED_CHANGE)
    problem = trees.Problem(target, weight)
    core = np.zeros(len(rows))
    for known, judged in leave_out(rows):
        core[judged] = inputs[judged] @ solve_for(rows, inputs, target, weight, prior, known)
    coefficients = np.round(solve_for(rows, inputs, target, weight, prior), 9)
    if may_have_trees:
        booster, out_of_fold, note = _trees(rows, volatility, core, problem, seed, inputs @ coefficients)
    else:
        booster, out_of_fold, note = trees.nothing(seed), core, "no trees: none were asked for"
    return Fitted(ChangeModel(coefficients, booster), out_of_fold * volatility, (note,))


def _trees(
    rows: Rows, volatility: Array, core: Array, problem: trees.Problem, seed: int, fitted: Array
) -> tuple["xgboost.Booster", Array, str]:
    """The booster, the out-of-fold prediction with it, and why it has trees or none."""
    if len(np.unique(rows.athlete)) < trees.FEWEST_ATHLETES:
        note = f"no trees: fewer than {trees.FEWEST_ATHLETES} athletes cannot show that they pay"
        return trees.nothing(seed), core, note
    both = trees.out_of_fold(rows, volatility, core, problem, seed)
    pays, note = trees.they_pay(rows, volatility, core, both, problem, seed)
    if not pays:
        return trees.nothing(seed), core, note
    return trees.fit_trees(rows, volatility, fitted, problem, seed, trees.ROUNDS), both, note
