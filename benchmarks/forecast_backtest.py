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
from include.forecast.baselines import BANISTER, DAMPED_DRIFT, LOCAL_LEVEL, PLAIN_PERSISTENCE, RIDGE
from include.forecast.evaluation import FEWEST_WINDOWS, compare, evaluate
from include.forecast.forecaster import FORECASTER, PERSISTENCE, PLANNED
from include.forecast.gate import judge_bucket
from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.intervals import independent_windows
from include.forecast.resampling import by_athlete, resample
from include.forecast.rows import Rows
from include.forecast.rows import concatenate as concatenate_rows
from include.forecast.scores import Scores
from include.forecast.targets import make_rows

SEED = 7
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
}
"""What the table calls each method. `persistence` has plain bands (by horizon bucket, pooled, the same for all);
`persistence_scaled` has those of the model: in the athlete's own scale, whole numbers where the watch tells them."""
PROTOCOLS = {"walk_forward": backtest.walk_forward, "leave_one_out": backtest.leave_one_out}


def table(rows: Rows, scored: Sequence[str], learnt: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each scenario, protocol, bucket and athlete, and for all athletes together."""
    found = []
    for protocol, folds in PROTOCOLS.items():
        done = backtest.run(rows, folds(rows, scored, learnt), SEED)
        if done is None:
            continue
        for scenario in (AS_USUAL, KNOWN_LOAD):
            found += _scenario(done, scenario, protocol)
    return found


def _scenario(done: backtest.Backtest, scenario: str, protocol: str) -> list[dict[str, Any]]:
    known = scenario == KNOWN_LOAD
    scores = {name: done.scores[method] for name, method in NAMES.items()}
    scores["model"] = done.scores[PLANNED if known else FORECASTER]
    if known:
        scores["banister"] = done.scores[backtest.BANISTER_KNOWN_LOAD]
    judged = done.scores | {FORECASTER: scores["model"], BANISTER: scores["banister"]}
    verdicts = {result.name: judge_bucket(result) for result in evaluate(judged, done.rows, SEED)}
    bucket, found = bucket_index(done.rows.horizon_days), []
    for index, name in enumerate(BUCKETS):
        start = {"scenario": scenario, "protocol": protocol, "bucket": name, "served_by": verdicts[name].served_by}
        counted = [one for one in np.unique(done.rows.athlete) if _windows(done.rows, bucket == index, one)]
        mine = (bucket == index) & np.isin(done.rows.athlete, counted)
        for athlete in ["all", *counted] if mine.any() else []:
            chosen = mine if athlete == "all" else mine & (done.rows.athlete == athlete)
            theirs = {method: one.where(chosen) for method, one in scores.items()}
            found.append(start | {"athlete": str(athlete)} | _row(done.rows.where(chosen), theirs, athlete == "all"))
    return found


def _windows(rows: Rows, in_bucket: np.ndarray, athlete: str) -> bool:
    mine = in_bucket & (rows.athlete == athlete)
    return independent_windows(rows.athlete[mine], rows.origin_day[mine], rows.horizon_days[mine]) >= FEWEST_WINDOWS


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
        "mae": {name: round(mean(one.absolute_error), 4) for name, one in scores.items()},
        "rmse": {name: round(float(np.sqrt(mean(one.error**2))), 4) for name, one in scores.items()},
        "crps": {name: round(mean(one.crps), 4) for name, one in scores.items()},
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
    athletes = [str(one) for one in np.unique(rows.athlete)]
    holdout = [one for one in options.holdout.split(",") if one]
    scored = [one for one in athletes if one in holdout] if holdout else athletes
    learnt = [one for one in athletes if one not in holdout]
    pool = options.work / "pool.parquet"
    if pool.exists():
        others = make_rows(pd.read_parquet(pool))
        learnt += [str(one) for one in np.unique(others.athlete)]
        rows = concatenate_rows([rows, others])
    (options.work / "forecast.json").write_text(json.dumps(table(rows, scored, learnt), indent=1) + "\n")


if __name__ == "__main__":
    main()
