"""The backtest of the forecaster as a table; runs in the jobs environment, which has XGBoost.

`python -m benchmarks.forecast_backtest WORK [--holdout id,…]` reads WORK/athletes.parquet (feature rows, scored) and
WORK/pool.parquet (learnt from, never scored; may be missing), and writes WORK/forecast.json.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.forecast import backtest
from include.forecast.baselines import BANISTER, LOCAL_LEVEL, PLAIN_PERSISTENCE, RIDGE
from include.forecast.evaluation import compare, evaluate
from include.forecast.evidence import FEWEST_WINDOWS
from include.forecast.gate import compare_buckets, judge_bucket
from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.intervals import independent_windows
from include.forecast.methods import DAMPED_DRIFT, FORECASTER, PERSISTENCE
from include.forecast.own_record import COMBINED
from include.forecast.population import PLANNED, UNLEARNT
from include.forecast.resampling import by_athlete, resample
from include.forecast.rows import Rows
from include.forecast.rows import concatenate as concatenate_rows
from include.forecast.scores import SMALLEST_SCORE, Scores
from include.forecast.targets import make_rows

SEED = 7
ENOUGH_WINDOWS = 10.0
BLOCK_DAYS = 45
"""Rows of one athlete are resampled in blocks as long as the longest lag."""
AS_USUAL, KNOWN_LOAD = "as_usual", "known_load"
PERSISTENCE_SCALED = "persistence_scaled"
NAMES = {
    "persistence": PLAIN_PERSISTENCE,
    PERSISTENCE_SCALED: PERSISTENCE,
    "damped_drift": DAMPED_DRIFT,
    "local_level": LOCAL_LEVEL,
    "banister": BANISTER,
    "ridge": RIDGE,
    "forecaster": FORECASTER,
}
"""What the table calls each method. `persistence` has plain bands (by horizon bucket, pooled, the same for all);
`persistence_scaled` has those of the model: in the athlete's own scale, by the athlete's own record, whole numbers
where the watch tells them. `forecaster` is the trained one by itself; the model combines it with the other methods."""
PROTOCOLS = {"walk_forward": backtest.walk_forward, "leave_one_out": backtest.leave_one_out}
ALONE = "alone"


def table(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each scenario, protocol, bucket and athlete, and for all athletes together."""
    found = []
    for protocol, folds in PROTOCOLS.items():
        done = backtest.run(rows, folds(rows, scored, learnt), SEED)
        for scenario in (AS_USUAL, KNOWN_LOAD) if done else ():
            found += _scenario(done, scenario, protocol)
    served = backtest.alone(rows, scored, learnt, SEED)
    return found + (_scenario(served, AS_USUAL, ALONE) if served else [])


def _scenario(done: backtest.Backtest, scenario: str, protocol: str) -> list[dict[str, Any]]:
    known = scenario == KNOWN_LOAD
    scores = {name: done.scores[method] for name, method in NAMES.items()}
    scores["model"] = done.scores[PLANNED if known else COMBINED]
    if known:
        scores["banister"] = done.scores[backtest.BANISTER_KNOWN_LOAD]
    bucket, found = bucket_index(done.rows.horizon_days), []
    answered, served = _served(done, scores["model"])
    for index, name in enumerate(BUCKETS):
        start = {"scenario": scenario, "protocol": protocol, "bucket": name}
        counted = [athlete for athlete in np.unique(done.rows.athlete) if _windows(done.rows, bucket == index, athlete)]
        in_bucket = (bucket == index) & np.isin(done.rows.athlete, counted)
        for athlete in ["all", *counted] if in_bucket.any() else []:
            chosen = in_bucket if athlete == "all" else in_bucket & (done.rows.athlete == athlete)
            theirs = {method: each.where(chosen) for method, each in scores.items()}
            rows = done.rows.where(chosen)
            served_row = _served_row(served.where(chosen), theirs, rows, answered[chosen])
            row = start | {"athlete": str(athlete)} | _row(rows, theirs, athlete == "all") | served_row
            found.append(row | (_by_athlete(rows, theirs) if athlete == "all" else {}))
    return found


def _served(done: backtest.Backtest, model: Scores) -> tuple[np.ndarray, Scores]:
    """Which rows the model answered, and the scores of what answered: as each fold's gate decided, or, where none did,
    as the gate would on all scored rows together."""
    if backtest.SERVED in done.scores:
        return done.by_combined, done.scores[backtest.SERVED]
    persistence = done.scores[PERSISTENCE]
    own = compare_buckets(model.crps, persistence.crps, done.rows)
    judged = evaluate(done.scores | {COMBINED: model}, done.rows, SEED)
    served_by = {result.name: judge_bucket(result, own[result.name], UNLEARNT).served_by for result in judged}
    answered = np.array([served_by[name] == COMBINED for name in BUCKETS])[bucket_index(done.rows.horizon_days)]
    names = Scores.__dataclass_fields__
    return answered, Scores(*(np.where(answered, getattr(model, name), getattr(persistence, name)) for name in names))


def _served_row(served: Scores, scores: dict[str, Scores], rows: Rows, answered: np.ndarray) -> dict[str, Any]:
    """How good what was served was, against plain persistence, and how often the combined forecast answered."""
    crps, plain, inside, share = (
        float(by_athlete(values, rows.athlete).mean())
        for values in (served.crps, scores["persistence"].crps, served.inside_90, answered.astype(float))
    )
    return {
        "served_crps_skill": round(1.0 - max(crps, SMALLEST_SCORE) / max(plain, SMALLEST_SCORE), 4),
        "served_coverage_90": round(inside, 4),
        "served_share": round(share, 4),
        "served_by": COMBINED if share > 0.5 else PERSISTENCE,
    }


def _by_athlete(rows: Rows, scores: dict[str, Scores]) -> dict[str, Any]:
    """How the model fares with the athlete it fares worst with, against persistence with the model's kind of bands."""
    ours, theirs = (
        np.maximum(by_athlete(scores[name].crps, rows.athlete), SMALLEST_SCORE)
        for name in ("model", PERSISTENCE_SCALED)
    )
    skill = 1.0 - ours / theirs
    return {
        "worst_athlete_skill": round(float(skill.min()), 4),
        "share_not_worse": round(float((skill >= -1e-9).mean()), 4),
        "least_coverage_90": round(_least_coverage(rows, scores["model"]), 4),
    }


def _least_coverage(rows: Rows, model: Scores) -> float:
    """Of the athletes with ten independent windows or more, the least share of readings inside the 90 % bands."""
    shares = [
        float(model.inside_90[rows.athlete == athlete].mean())
        for athlete in np.unique(rows.athlete)
        if _count_windows(rows.where(rows.athlete == athlete)) >= ENOUGH_WINDOWS
    ]
    return min(shares, default=float("nan"))


def _count_windows(rows: Rows) -> float:
    return independent_windows(rows.athlete, rows.origin_day, rows.horizon_days)


def _windows(rows: Rows, in_bucket: np.ndarray, athlete: str) -> bool:
    return _count_windows(rows.where(in_bucket & (rows.athlete == athlete))) >= FEWEST_WINDOWS


def _row(rows: Rows, scores: dict[str, Scores], is_pooled: bool) -> dict[str, Any]:
    """Athletes count the same; the bootstrap draws athletes, or blocks of days where there is only one."""

    def mean(value: np.ndarray) -> float:
        return float(by_athlete(value, rows.athlete).mean())

    cluster = rows.athlete if is_pooled else rows.origin_day.astype(np.int64) // BLOCK_DAYS
    drawn_from = Rows(**(vars(rows) | {"athlete": cluster}))
    shares = resample(len(np.unique(cluster)), SEED)
    model, plain, scaled = scores["model"], scores["persistence"], scores[PERSISTENCE_SCALED]
    drawn = compare(model, plain, drawn_from, shares)
    skills, against_scaled = compare(model, plain, rows, np.ones((1, len(np.unique(rows.athlete))))), None
    against_scaled = compare(model, scaled, drawn_from, shares)["crps"]
    return {
        "n": len(rows),
        "athletes": len(np.unique(rows.athlete)),
        "mae": {name: round(mean(each.absolute_error), 4) for name, each in scores.items()},
        "rmse": {name: round(float(np.sqrt(mean(each.error**2))), 4) for name, each in scores.items()},
        "crps": {name: round(mean(each.crps), 4) for name, each in scores.items()},
        "crps_skill": round(skills["crps"].value, 4),
        "crps_skill_low": round(drawn["crps"].interval.low, 4),
        "crps_skill_high": round(drawn["crps"].interval.high, 4),
        "rmse_skill": round(skills["rmse"].value, 4),
        "mae_skill": round(skills["mae"].value, 4),
        "crps_skill_by_reading": round(skills["crps"].by_reading, 4),
        "rmse_skill_by_reading": round(skills["rmse"].by_reading, 4),
        "mae_skill_by_reading": round(skills["mae"].by_reading, 4),
        "crps_skill_against_scaled": round(1.0 - mean(model.crps) / max(mean(scaled.crps), 0.05), 4),
        "crps_skill_against_scaled_low": round(against_scaled.interval.low, 4),
        "crps_skill_against_scaled_high": round(against_scaled.interval.high, 4),
        "coverage_80": round(mean(model.inside_80), 4),
        "coverage_90": round(mean(model.inside_90), 4),
        "width_90": round(mean(model.width_90), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--holdout", default="", help="score these athletes alone, and learn from the others alone")
    options = parser.parse_args()
    rows = make_rows(pd.read_parquet(options.work / "athletes.parquet"))
    athletes = [str(name) for name in np.unique(rows.athlete)]
    holdout = [name for name in options.holdout.split(",") if name]
    scored = [name for name in athletes if name in holdout] if holdout else athletes
    learnt = [name for name in athletes if name not in holdout]
    pool = options.work / "pool.parquet"
    if pool.exists():
        others = make_rows(pd.read_parquet(pool))
        learnt += [str(name) for name in np.unique(others.athlete)]
        rows = concatenate_rows([rows, others])
    (options.work / "forecast.json").write_text(json.dumps(table(rows, scored, learnt), indent=1) + "\n")


if __name__ == "__main__":
    main()
