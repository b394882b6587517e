"""The gate: what answers each range of days, and whether the package may serve at all.

The combined forecast answers where it is sure enough to be better than persistence for the athletes of this deployment:
the population's evidence and the deployment's own together (include.forecast.evidence), by one rule for one athlete and
for a thousand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from include.forecast.coverage import FEWEST_ATHLETES as FEWEST_FOR_COVERAGE
from include.forecast.evaluation import BucketResult
from include.forecast.evidence import NO_COMPARISON, Belief, Comparison, believe, compare_athletes
from include.forecast.forecaster import WHAT_IF
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.own_record import COMBINED
from include.forecast.population import PLANNED, Population
from include.forecast.rows import Rows
from include.forecast.scores import Scores
from include.forecast.what_if import LATE_DAYS, OFF

MARGIN = 0.05
"""An athlete is served much worse by a forecast whose CRPS is by so much above that of persistence."""
MOST_MUCH_WORSE = 0.10
"""Probability that an athlete is."""
MOST_NO_BETTER = 0.03
"""Probability that the forecast is no better on the average of athletes: with it a forecaster that is no better is
approved in less than 5 % of simulated deployments of 1 to 100 athletes (tests/forecast/test_gate_rates.py)."""
CHAMPION_MARGIN = 0.01
MOST_NO_WORSE = 0.05
"""Probability that a candidate is no worse than what serves now, where it is held to be worse."""


@dataclass(frozen=True)
class BucketVerdict:
    """What answers a range of days.

    Attributes:
        served_by: own_record.COMBINED or PERSISTENCE.
        confidence: "low" where nobody's readings have tested the bands.
        reasons: why the combined forecast does not answer; empty when it does.
        blocks: why the range is fit to serve by neither; empty when it is.
        belief: what the evidence says of the combined forecast.
        sentence: the evidence in words, for the athlete.
    """

    served_by: str
    confidence: str
    reasons: tuple[str, ...]
    blocks: tuple[str, ...]
    belief: Belief
    sentence: str


@dataclass(frozen=True)
class Gate:
    """The decision; `reasons` are why it is not approved, or what should be known although it is."""

    approved: bool
    reasons: tuple[str, ...]
    buckets: dict[str, BucketVerdict]
    what_if: Mapping[str, object] = field(default_factory=lambda: dict(WHAT_IF))

    @property
    def served_by(self) -> dict[str, str]:
        return {name: verdict.served_by for name, verdict in self.buckets.items()}


def judge_bucket(result: BucketResult, own: Comparison, population: Population) -> BucketVerdict:
    """Combined where that is sure enough to be better, else persistence; blocked where the bands are proven wrong."""
    belief = believe(population.served[result.name], own, MARGIN)
    reasons = []
    if belief.no_better > MOST_NO_BETTER:
        reasons.append(
            f"it is no better than persistence with a probability of {belief.no_better:.0%}, "
            f"{MOST_NO_BETTER:.1%} is the most"
        )
    if belief.much_worse > MOST_MUCH_WORSE:
        reasons.append(
            f"for an athlete it is {MARGIN:.0%} worse or more with a probability of {belief.much_worse:.0%}, "
            f"{MOST_MUCH_WORSE:.0%} is the most"
        )
    served_by = PERSISTENCE if reasons else COMBINED
    blocks: tuple[str, ...] = ()
    tested = len(population.served[result.name].ratio) >= FEWEST_FOR_COVERAGE
    if result.methods:
        coverage = result.methods[served_by].coverage_90
        tested = tested or coverage.verdict != "unknown"
        if coverage.verdict == "unfit":
            blocks = (
                f"90 % bands of {served_by} cover {coverage.observed:.1%} "
                f"(95 % interval {coverage.low:.1%} to {coverage.high:.1%}), outside 87–94 %",
            )
    sentence = evidence_sentence(result.name, own, population, belief)
    return BucketVerdict(served_by, "normal" if tested else "low", tuple(reasons), blocks, belief, sentence)


def evidence_sentence(name: str, own: Comparison, population: Population, belief: Belief) -> str:
    """On which athletes the forecast of a range of days was measured, and how its CRPS compared with persistence's.

    "Before" are those of the population, each left out of what was learnt; "here" those of this deployment's test fold.
    """
    known, held = population.served[name], population.about.get("readings")
    parts = []
    if len(known.ratio):
        readings = f" ({held:,} readings)" if isinstance(held, int) else ""
        measured = _with_interval(believe(known, NO_COMPARISON, MARGIN))
        parts.append(f"On {_athletes(len(known.ratio))} before{readings}: {measured} than the last reading")
    if len(own.ratio):
        parts.append(f"on {_athletes(len(own.ratio))} here: {better(float(own.ratio.mean()))}")
        parts.append(f"together: {_with_interval(belief)}")
    sentence = "; ".join(parts) or "Nobody's readings have tested this range of days yet"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _with_interval(belief: Belief) -> str:
    return f"{better(belief.mean)} (95 % interval {_share(belief.high)} to {_share(belief.low)})"


def _athletes(count: int) -> str:
    return "1 athlete" if count == 1 else f"{count} athletes"


def better(log_ratio: float) -> str:
    """`8 % better`, `2 % worse`: of a log ratio of scores."""
    share = 1.0 - float(np.exp(log_ratio))
    return f"{abs(share):.0%} {'better' if share >= 0 else 'worse'}".replace("%", " %")


def _share(log_ratio: float) -> str:
    return f"{1.0 - float(np.exp(log_ratio)):+.0%}".replace("%", " %")


def compare_buckets(score: Array, rival: Array, rows: Rows) -> dict[str, Comparison]:
    """The athletes' comparison of two scores of the same rows, by bucket."""
    bucket = bucket_index(rows.horizon_days)
    return {
        name: compare_athletes(score[bucket == index], rival[bucket == index], rows.where(bucket == index))
        for index, name in enumerate(BUCKETS)
    }


def decide(
    results: list[BucketResult],
    own: Mapping[str, Comparison],
    population: Population,
    against: list[str],
    what_if: Mapping[str, object] = WHAT_IF,
) -> Gate:
    """Approve when every range is fit one way or the other, and nothing stands against the package.

    Args:
        own: by bucket: this deployment's athletes on its test fold.
        against: leaks, and ranges in which what serves now is better.
    """
    buckets = {result.name: judge_bucket(result, own[result.name], population) for result in results}
    blocked = [f"{name} d: {block}" for name, verdict in buckets.items() for block in verdict.blocks] + against
    if blocked:
        return Gate(False, tuple(blocked), buckets, what_if)
    notes = [
        f"{name} d: {verdict.served_by}"
        + (f" ({'; '.join(verdict.reasons)})" if verdict.reasons else "")
        + (", low confidence" if verdict.confidence == "low" else "")
        for name, verdict in buckets.items()
    ]
    return Gate(True, tuple(notes), buckets, what_if)


def judge_what_if(
    scores: Mapping[str, Scores], shuffled: Scores, rows: Rows, population: Population
) -> dict[str, object]:
    """Whether a what-if may be shown: knowing the load ahead must lower the CRPS beyond 14 d, by the rule of the gate.

    Args:
        scores: of FORECASTER and of PLANNED, which knows the load ahead.
        shuffled: of PLANNED with the loads of other rows: a gain that stays is none of the load's.
    """
    late = (rows.horizon_days > LATE_DAYS) & ~np.isnan(rows.load_ahead)
    chosen = rows.where(late)
    plain, placebo = (
        believe(known, compare_athletes(scores[PLANNED].crps[late], rival.crps[late], chosen), MARGIN)
        for known, rival in ((population.what_if, scores[FORECASTER]), (population.placebo, shuffled))
    )
    measured = (
        f"forecasts that knew the load ahead were {better(plain.mean)} (CRPS; 95 % interval {_share(plain.high)} to "
        f"{_share(plain.low)}), against ones that were given other days' loads {better(placebo.mean)}"
    )
    is_sure = all(belief.no_better <= MOST_NO_BETTER for belief in (plain, placebo))
    if not is_sure or plain.much_worse > MOST_MUCH_WORSE:
        return {"enabled": False, "reason": f"{OFF}: {measured}"}
    return {"enabled": True, "reason": f"an association, not an effect of training: {measured}"}


def worse_than_champion(candidate: Array, champion: Array, rows: Rows) -> list[str]:
    """Ranges whose CRPS is surely worse than the champion's on the same rows, for one athlete as for many."""
    found = []
    for name, comparison in compare_buckets(champion, candidate, rows).items():
        if not len(comparison.ratio):
            continue
        belief = believe(NO_COMPARISON, comparison, MARGIN)
        if belief.no_better <= MOST_NO_WORSE and -belief.mean > CHAMPION_MARGIN:
            found.append(f"{name} d: CRPS {np.expm1(-belief.mean):.1%} worse than what serves now, beyond noise")
    return found
