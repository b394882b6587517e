"""How good the forecasts are: in time, on athletes who are left out, and for an athlete alone.

Walk-forward: on each 1 January and 1 July everything is learnt anew, from rows whose origin lies more than 45 days (and
whose target lies) before that day, for all athletes alike; the half-year that follows is scored. Leave-one-out: all is
learnt from the other athletes, and the whole history of the one is scored. Alone: the athlete is a deployment of its
own that starts from a population made of the others, and builds anew each half-year through its own history, as
`model_build` does: cut, trained, judged by the gate, and served. Nothing of what is scored is used to fit, to scale or
to calibrate, but the athlete's own past: as features hold it, and by its own record of forecasts that have come due.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from include.forecast.baselines import BANISTER, Baseline, fit_baselines
from include.forecast.evaluation import evaluate, score_methods
from include.forecast.forecaster import Forecaster
from include.forecast.gate import compare_buckets, decide
from include.forecast.groups import Mask
from include.forecast.horizon import BUCKETS, MAX_LAG_DAYS, bucket_index
from include.forecast.intervals import FEWEST_WINDOWS, independent_windows
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, Records, follow_all
from include.forecast.population import UNLEARNT, Population
from include.forecast.rows import Rows, concatenate
from include.forecast.scores import Scores, score
from include.forecast.scores import concatenate as concatenate_scores
from include.forecast.split import choose_cuts, split
from include.forecast.study import study
from include.forecast.training import train_forecaster

MONTHS_BETWEEN_CUTS = 6
BANISTER_KNOWN_LOAD = f"{BANISTER}_known_load"
SERVED = "served"
"""What the gate let answer, combined or persistence."""


@dataclass(frozen=True)
class Fold:
    """What is learnt from and what is scored, as masks of the rows."""

    name: str
    learnt: Mask
    scored: Mask


@dataclass(frozen=True)
class Backtest:
    """Scored rows of all folds, and each method's scores of them.

    Attributes:
        scores: by method; SERVED among them where the gate judged each fold.
        by_combined: rows that the gate let the combined forecast answer.
        forecasters: by fold.
    """

    rows: Rows
    scores: dict[str, Scores]
    by_combined: npt.NDArray[np.bool_]
    forecasters: dict[str, Forecaster]


def walk_forward(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> Iterator[Fold]:
    """The folds by time; a cut counts once the rows before it hold enough windows to calibrate every bucket."""
    may_learn, may_score = np.isin(rows.athlete, learnt), np.isin(rows.athlete, scored)
    if not may_score.any():
        return
    for day, end in half_years(rows.where(may_score)):
        before = may_learn & _is_past(rows, day)
        after = may_score & (rows.origin_day >= day) & (rows.origin_day < end)
        if after.any() and _enough(rows, before):
            yield Fold(str(day), before, after)


def half_years(rows: Rows) -> Iterator[tuple[np.datetime64, np.datetime64]]:
    """First day, and the day after the last, of the half-years in which the rows' origins lie."""
    first = rows.origin_day.min().astype("datetime64[Y]").astype("datetime64[M]")
    cuts = np.arange(first, rows.origin_day.max().astype("datetime64[M]") + 1, MONTHS_BETWEEN_CUTS)
    for cut in cuts:
        yield cut.astype("datetime64[D]"), (cut + MONTHS_BETWEEN_CUTS).astype("datetime64[D]")


def leave_one_out(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> Iterator[Fold]:
    """A fold an athlete."""
    for athlete in scored:
        own = rows.athlete == athlete
        others = np.isin(rows.athlete, learnt) & ~own
        if own.any() and others.any():
            yield Fold(athlete, others, own)


def run(rows: Rows, folds: Iterator[Fold], seed: int) -> Backtest | None:
    """Learn and score each fold; None without folds. No gate judges them."""
    parts = []
    for fold in folds:
        known, asked = rows.where(fold.learnt), rows.where(fold.scored)
        forecaster = train_forecaster(known, seed, {}, UNLEARNT)
        records = follow_all(asked, rows.where(np.isin(rows.athlete, np.unique(asked.athlete))), forecaster)
        scores = score_methods(forecaster, _baselines(known, forecaster), asked, records)
        parts.append(_Part(fold.name, asked, scores, np.ones(len(asked), dtype=bool), forecaster))
    return _together(parts)


def alone(rows: Rows, scored: Sequence[str], learnt: Sequence[str], seed: int) -> Backtest | None:
    """Each scored athlete as a deployment of its own; None where there are no two others to make a population of."""
    parts = []
    for fold in leave_one_out(rows, scored, learnt):
        others, own = rows.where(fold.learnt), rows.where(fold.scored)
        if len(np.unique(others.athlete)) < 2:
            continue
        population = study(others, seed, {})
        baselines = _baselines(others, train_forecaster(others, seed, {}, UNLEARNT, may_have_trees=False))
        for day, end in half_years(own):
            asked = own.where((own.origin_day >= day) & (own.origin_day < end))
            if len(asked):
                parts.append(_deployment(f"{fold.name} {day}", own, day, asked, population, baselines, seed))
    return _together(parts)


def build(rows: Rows, population: Population, seed: int) -> tuple[Forecaster, dict[str, str]]:
    """What a build of these rows would serve: the forecaster, and what the gate lets answer each range of days."""
    cuts = choose_cuts(rows)
    empty = rows.where(np.zeros(len(rows), dtype=bool))
    folds = split(rows, cuts) if cuts else {"train": rows, "calibration": empty, "test": empty}
    known, test = concatenate([folds["train"], folds["calibration"]]), folds["test"]
    forecaster = train_forecaster(known, seed, {}, population)
    records = follow_all(test, rows, forecaster)
    scores = score_methods(forecaster, {}, test, records)
    own = compare_buckets(scores[COMBINED].crps, scores[PERSISTENCE].crps, test)
    gate = decide(evaluate(scores, test, seed), own, population, [])
    return forecaster, gate.served_by


@dataclass(frozen=True)
class _Part:
    name: str
    rows: Rows
    scores: dict[str, Scores]
    by_combined: npt.NDArray[np.bool_]
    forecaster: Forecaster


def _deployment(
    name: str,
    own: Rows,
    day: np.datetime64,
    asked: Rows,
    population: Population,
    baselines: Mapping[str, Baseline],
    seed: int,
) -> _Part:
    """What an athlete alone was served in a half-year, by what was built of the rows before it."""
    forecaster, served_by = build(own.where(_is_past(own, day)), population, seed)
    records = follow_all(asked, own, forecaster)
    scores = score_methods(forecaster, baselines, asked, records)
    scores[SERVED] = _score_served(forecaster, served_by, asked, records)
    combined = np.array([served_by[bucket] == COMBINED for bucket in BUCKETS])[bucket_index(asked.horizon_days)]
    return _Part(name, asked, scores, combined, forecaster)


def _score_served(forecaster: Forecaster, served_by: Mapping[str, str], rows: Rows, records: Records) -> Scores:
    return score(forecaster.served(served_by, rows.features, rows.horizon_days, records), rows.change)


def _baselines(known: Rows, forecaster: Forecaster) -> dict[str, Baseline]:
    with_load = fit_baselines(known, forecaster.pooling, load_is_known=True)
    return fit_baselines(known, forecaster.pooling) | {BANISTER_KNOWN_LOAD: with_load[BANISTER]}


def _together(parts: list[_Part]) -> Backtest | None:
    if not parts:
        return None
    names = [name for name in parts[0].scores if all(name in part.scores for part in parts)]
    return Backtest(
        concatenate([part.rows for part in parts]),
        {name: concatenate_scores([part.scores[name] for part in parts]) for name in names},
        np.concatenate([part.by_combined for part in parts]),
        {part.name: part.forecaster for part in parts},
    )


def _is_past(rows: Rows, day: np.datetime64) -> Mask:
    past: Mask = (rows.origin_day + MAX_LAG_DAYS < day) & (rows.target_day < day)
    return past


def _enough(rows: Rows, mask: Mask) -> bool:
    bucket = bucket_index(rows.horizon_days)
    return all(
        independent_windows(rows.athlete[part], rows.origin_day[part], rows.horizon_days[part]) >= FEWEST_WINDOWS
        for part in (mask & (bucket == index) for index in range(len(BUCKETS)))
    )
