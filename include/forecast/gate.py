"""The gate: what answers each horizon bucket, and whether the package may serve at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from include.forecast.distribution import crps
from include.forecast.evaluation import BucketResult
from include.forecast.forecaster import FORECASTER, PERSISTENCE, WHAT_IF, Forecaster
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.resampling import by_athlete, interval, resample
from include.forecast.rows import Rows
from include.forecast.scores import SMALLEST_SCORE, Scores, skill
from include.forecast.what_if import OFF

LEAST_CRPS_SKILL = 0.05
LEAST_SHARE_NOT_WORSE = 0.6
WORST_ATHLETE_LOSS = 0.15
LAST_SHORT_DAY = 14
FEWEST_ATHLETES = 5
"""A gain seen on four athletes has shrunk to a third on eight: fewer than five prove nothing."""


@dataclass(frozen=True)
class BucketVerdict:
    """`confidence` is "low" where the bands could not be tested; `reasons` say why the forecaster does not answer."""

    served_by: str
    confidence: str
    reasons: tuple[str, ...]
    blocks: tuple[str, ...]
    """Why the bucket is fit to serve by neither; empty when it is."""


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


def judge_bucket(result: BucketResult) -> BucketVerdict:
    """Forecaster where it proved itself, else persistence; blocked where the bands of persistence are proven wrong."""
    if not result.methods:
        return BucketVerdict(PERSISTENCE, "low", ("too few test readings",), ())
    reasons = _against_forecaster(result)
    served_by = PERSISTENCE if reasons else FORECASTER
    coverage = result.methods[served_by].coverage_90
    blocks: tuple[str, ...] = ()
    if coverage.verdict == "unfit":
        blocks = (
            f"90 % bands of {served_by} cover {coverage.observed:.1%} "
            f"(95 % interval {coverage.low:.1%} to {coverage.high:.1%}), outside 87–94 %",
        )
    confidence = "low" if coverage.verdict == "unknown" else "normal"
    return BucketVerdict(served_by, confidence, tuple(reasons), blocks)


def _against_forecaster(result: BucketResult) -> list[str]:
    crps, rmse, best = result.against_best, result.skills["rmse"], result.best_rival
    assert crps is not None
    coverage = result.methods[FORECASTER].coverage_90
    mine, theirs = (np.maximum(result.methods[name].athlete_crps, SMALLEST_SCORE) for name in (FORECASTER, best))
    loss = mine / theirs - 1.0
    not_worse, worst = float((loss <= 1e-9).mean()), int(np.argmax(loss))
    checks = (
        (len(result.athletes) >= FEWEST_ATHLETES, f"{len(result.athletes)} athletes, {FEWEST_ATHLETES} are needed"),
        (crps.value >= LEAST_CRPS_SKILL, f"CRPS skill {crps.value:+.1%} against {best}, at least +5 % is needed"),
        (crps.interval.low > 0, f"CRPS skill may be {crps.interval.low:+.1%} (95 % bound), it must be above 0"),
        (rmse.value >= 0, f"RMSE skill {rmse.value:+.1%}, it must not be worse"),
        (not_worse >= LEAST_SHARE_NOT_WORSE, f"{not_worse:.0%} of athletes not worse, 60 % are needed"),
        (loss[worst] <= WORST_ATHLETE_LOSS, f"the worst-off athlete is {loss[worst]:.0%} worse"),
        (coverage.verdict == "fit", f"coverage of its 90 % bands is {coverage.verdict} ({coverage.observed:.1%})"),
    )
    return [reason for passed, reason in checks if not passed]


def decide(
    results: list[BucketResult], leaks: list[str], champion: list[str], what_if: Mapping[str, object] = WHAT_IF
) -> Gate:
    """Approve when every bucket is fit one way or the other, nothing leaks, and none is worse than the champion."""
    buckets = {result.name: judge_bucket(result) for result in results}
    against = [f"{name} d: {block}" for name, verdict in buckets.items() for block in verdict.blocks]
    against += [f"leak: {leak}" for leak in leaks] + champion
    if against:
        return Gate(False, tuple(against), buckets, what_if)
    notes = [
        f"{name} d: {verdict.served_by}"
        + (f" ({'; '.join(verdict.reasons)})" if verdict.reasons else "")
        + (", low confidence" if verdict.confidence == "low" else "")
        for name, verdict in buckets.items()
    ]
    return Gate(True, tuple(notes), buckets, what_if)


def judge_what_if(planned: Scores, shuffled: Scores, usual: Scores, rows: Rows, seed: int) -> dict[str, object]:
    """Whether a what-if may be shown: knowing the load ahead must lower the CRPS beyond 14 d, and surely so.

    Args:
        planned: scores of the forecaster that knows the load ahead.
        shuffled: the same with the loads of other rows: a gain that stays is none of the load's.
        usual: scores of the forecaster.
    """
    late = (rows.horizon_days > LAST_SHORT_DAY) & ~np.isnan(rows.load_ahead)
    athlete = rows.athlete[late]
    count = len(np.unique(athlete))
    if count < FEWEST_ATHLETES:
        return {"enabled": False, "reason": f"{OFF}: {count} athletes, {FEWEST_ATHLETES} are needed"}
    told, mixed, plain = (by_athlete(one.crps[late], athlete) for one in (planned, shuffled, usual))
    equal, shares = np.full((1, count), 1.0 / count), resample(count, seed)
    gain, low = float(skill(told, plain, equal)[0]), interval(skill(told, plain, shares)).low
    placebo = float(skill(mixed, plain, equal)[0])
    said = f"forecasts that knew the load ahead were {_better(gain)} (CRPS; 95 % bound: {_better(low)})"
    if low <= 0:
        return {"enabled": False, "reason": f"{OFF}: {said}"}
    if placebo > gain / 2.0:
        return {"enabled": False, "reason": f"{OFF}: {said}, and with the loads of other days {_better(placebo)}"}
    return {"enabled": True, "reason": f"an association, not an effect of training: {said}"}


def _better(gain: float) -> str:
    return f"{abs(gain):.1%} {'better' if gain > 0 else 'worse'}"


def served_crps(forecaster: Forecaster, served_by: dict[str, str], rows: Rows) -> Array:
    """CRPS of each row under what answers its bucket."""
    return crps(forecaster.served(served_by, rows.features, rows.horizon_days), rows.change)


def worse_than_champion(candidate: Array, champion: Array, rows: Rows, seed: int) -> list[str]:
    """Buckets whose CRPS is worse than the champion's on the same rows beyond noise (bootstrap over athletes)."""
    bucket = bucket_index(rows.horizon_days)
    found = []
    for index, name in enumerate(BUCKETS):
        mine = bucket == index
        if not mine.any():
            continue
        new, old = by_athlete(candidate[mine], rows.athlete[mine]), by_athlete(champion[mine], rows.athlete[mine])
        shares = resample(len(new), seed + index)
        loss = -skill(new, old, shares)
        mean = -float(skill(new, old, np.full((1, len(new)), 1.0 / len(new)))[0])
        if mean > 0.01 and interval(loss).low > 0:
            found.append(f"{name} d: CRPS {mean:.1%} worse than what serves now, beyond noise")
    return found
