"""How good the forecasts are: walk-forward at common calendar days, and on athletes who are left out.

Walk-forward: on each 1 January and 1 July everything is learnt anew, from rows whose origin lies more than 45 days (and
whose target lies) before that day, for all athletes alike; the half-year that follows is scored. Leave-one-out: all is
learnt from the other athletes, and the whole history of the one is scored. Nothing of what is scored is used to fit,
to scale or to calibrate, but the athlete's own past as features hold it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from include.forecast.baselines import BANISTER, fit_baselines
from include.forecast.evaluation import score_methods
from include.forecast.forecaster import Forecaster
from include.forecast.groups import Mask
from include.forecast.horizon import BUCKETS, MAX_LAG_DAYS, bucket_index
from include.forecast.intervals import FEWEST_WINDOWS, independent_windows
from include.forecast.rows import Rows, concatenate
from include.forecast.scores import Scores
from include.forecast.scores import concatenate as concatenate_scores
from include.forecast.training import train_forecaster

MONTHS_BETWEEN_CUTS = 6
BANISTER_KNOWN_LOAD = f"{BANISTER}_known_load"


@dataclass(frozen=True)
class Fold:
    """What is learnt from and what is scored, as masks of the rows."""

    name: str
    learnt: Mask
    scored: Mask


@dataclass(frozen=True)
class Backtest:
    """Scored rows of all folds, and each method's scores of them."""

    rows: Rows
    scores: dict[str, Scores]
    forecasters: dict[str, Forecaster]
    """By fold."""


def walk_forward(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> Iterator[Fold]:
    """The folds by time; a cut counts once the rows before it hold enough windows to calibrate every bucket."""
    may_learn, may_score = np.isin(rows.athlete, learnt), np.isin(rows.athlete, scored)
    if not may_score.any():
        return
    first = rows.origin_day[may_score].min().astype("datetime64[Y]").astype("datetime64[M]")
    cuts = np.arange(first, rows.origin_day[may_score].max().astype("datetime64[M]") + 1, MONTHS_BETWEEN_CUTS)
    for cut, end in zip(cuts, cuts + MONTHS_BETWEEN_CUTS, strict=True):
        day = cut.astype("datetime64[D]")
        before = may_learn & (rows.origin_day + MAX_LAG_DAYS < day) & (rows.target_day < day)
        after = may_score & (rows.origin_day >= day) & (rows.origin_day < end.astype("datetime64[D]"))
        if after.any() and _enough(rows, before):
            yield Fold(str(day), before, after)


def leave_one_out(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> Iterator[Fold]:
    """A fold an athlete."""
    for athlete in scored:
        mine = rows.athlete == athlete
        others = np.isin(rows.athlete, learnt) & ~mine
        if mine.any() and others.any():
            yield Fold(athlete, others, mine)


def run(rows: Rows, folds: Iterator[Fold], seed: int) -> Backtest | None:
    """Learn and score each fold; None without folds."""
    parts, scores, forecasters = [], [], {}
    for fold in folds:
        known, asked = rows.where(fold.learnt), rows.where(fold.scored)
        forecaster = train_forecaster(known, seed, {})
        told = fit_baselines(known, forecaster.pooling, load_is_known=True)
        baselines = fit_baselines(known, forecaster.pooling) | {BANISTER_KNOWN_LOAD: told[BANISTER]}
        scores.append(score_methods(forecaster, baselines, asked))
        parts.append(asked)
        forecasters[fold.name] = forecaster
    if not parts:
        return None
    together = {method: concatenate_scores([one[method] for one in scores]) for method in scores[0]}
    return Backtest(concatenate(parts), together, forecasters)


def _enough(rows: Rows, mask: Mask) -> bool:
    bucket = bucket_index(rows.horizon_days)
    return all(
        independent_windows(rows.athlete[mine], rows.origin_day[mine], rows.horizon_days[mine]) >= FEWEST_WINDOWS
        for mine in (mask & (bucket == index) for index in range(len(BUCKETS)))
    )
