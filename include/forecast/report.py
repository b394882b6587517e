"""What an evaluation says: `evaluation.json` for the registry, and its numbers rounded for people and machines."""

import math
from typing import Any

import numpy as np

from include.forecast.calibration import calibration
from include.forecast.distribution import Predictive
from include.forecast.evaluation import BucketResult, Skill
from include.forecast.explanation import cases, drivers
from include.forecast.forecaster import Forecaster
from include.forecast.gate import Gate
from include.forecast.horizon import Array
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, Records
from include.forecast.resampling import by_athlete, resample
from include.forecast.rows import Rows
from include.forecast.scores import SMALLEST_SCORE


def evaluation_document(
    forecaster: Forecaster, test: Rows, records: Records, results: list[BucketResult], gate: Gate, seed: int
) -> dict[str, Any]:
    """The registry's `regression_metrics` of what is served, the buckets and the gate; unknown numbers are null.

    Metrics are of the change in VO2max (ml/kg/min) on the test fold, every athlete counting the same; their standard
    deviation is that of a bootstrap over athletes. `records` are those of the rows' athletes, a record each row.
    """
    served = forecaster.served(gate.served_by, test.features, test.horizon_days, records)
    document = {
        "regression_metrics": _regression_metrics(served, test, seed),
        "buckets": [_bucket(result, gate) for result in results],
        "gate": gate_document(gate),
        "athletes": _athletes(results),
        "notes": list(forecaster.about.get("notes", [])),
        "what_if": dict(gate.what_if),
        "drivers": drivers(forecaster, test),
        "calibration": calibration(served, test),
        "cases": cases(forecaster, gate.served_by, test, records, served),
        "about": {
            "target": "change of VO2max from the last reading (ml/kg/min), test fold, athletes weighted equally",
            "baseline": "persistence with split-conformal bands in units of the athlete's own scale",
            "dataset_version": forecaster.about.get("dataset_version", ""),
            "model_version": forecaster.about.get("model_version", ""),
            "test_rows": len(test),
        },
    }
    cleaned: dict[str, Any] = _finite(document)
    return cleaned


def gate_document(gate: Gate) -> dict[str, Any]:
    """The gate as the artifact carries it (`gate.json`)."""
    return {
        "approved": gate.approved,
        "reasons": list(gate.reasons),
        "served_by": gate.served_by,
        "what_if": dict(gate.what_if),
        "low_confidence": {
            name: "; ".join(verdict.reasons) or "too few test readings to check the bands"
            for name, verdict in gate.buckets.items()
            if verdict.confidence == "low"
        },
        "evidence": {
            name: {
                "sentence": verdict.sentence,
                "log_ratio": verdict.belief.mean,
                "low_95": verdict.belief.low,
                "high_95": verdict.belief.high,
                "no_better": verdict.belief.no_better,
                "much_worse": verdict.belief.much_worse,
            }
            for name, verdict in gate.buckets.items()
        },
    }


def _regression_metrics(served: Predictive, rows: Rows, seed: int) -> dict[str, Any]:
    names = ("mae", "mse", "rmse", "r2")
    if not len(rows):
        return {name: {"value": None, "standard_deviation": None} for name in names}
    error = rows.change - served.mean
    parts = [by_athlete(value, rows.athlete) for value in (np.abs(error), error**2, rows.change, rows.change**2)]
    count = len(parts[0])
    value = _metrics(np.full((1, count), 1.0 / count), *parts)
    drawn = _metrics(resample(count, seed), *parts)
    return {name: {"value": float(value[name][0]), "standard_deviation": float(np.std(drawn[name]))} for name in names}


def _metrics(shares: Array, absolute: Array, square: Array, change: Array, change_square: Array) -> dict[str, Array]:
    mse = shares @ square
    variance = shares @ change_square - (shares @ change) ** 2
    return {
        "mae": shares @ absolute,
        "mse": mse,
        "rmse": np.sqrt(mse),
        "r2": 1.0 - mse / np.maximum(variance, 1e-12),
    }


def _bucket(result: BucketResult, gate: Gate) -> dict[str, Any]:
    verdict = gate.buckets[result.name]
    return {
        "bucket": result.name,
        "n": result.rows,
        "windows": result.windows,
        "athletes": len(result.athletes),
        "served_by": verdict.served_by,
        "confidence": verdict.confidence,
        "reasons": [*verdict.reasons, *verdict.blocks],
        "sentence": verdict.sentence,
        **{method: _method(result, method) for method in result.methods},
        "best_rival": result.best_rival,
        "skill_against_best": result.against_best and _skill(result.against_best),
        "skills": {name: _skill(one) for name, one in result.skills.items()},
    }


def _skill(one: Skill) -> dict[str, float]:
    return {
        "value": one.value,
        "low_95": one.interval.low,
        "high_95": one.interval.high,
        "by_reading": one.by_reading,
    }


def _method(result: BucketResult, method: str) -> dict[str, Any]:
    one = result.methods[method]
    return {
        "mae": one.mae,
        "rmse": one.rmse,
        "bias": one.bias,
        "crps": one.crps,
        "coverage_80": one.coverage_80,
        "coverage_90": one.coverage_90.observed,
        "coverage_90_low_95": one.coverage_90.low,
        "coverage_90_high_95": one.coverage_90.high,
        "coverage_verdict": one.coverage_90.verdict,
        "width_90": one.width_90,
    }


def _athletes(results: list[BucketResult]) -> dict[str, Any]:
    """CRPS skill of the combined forecast of each athlete in each bucket."""
    table: dict[str, dict[str, float]] = {}
    for result in results:
        for index, athlete in enumerate(result.athletes):
            ours, theirs = (
                max(float(result.methods[answer].athlete_crps[index]), SMALLEST_SCORE)
                for answer in (COMBINED, PERSISTENCE)
            )
            table.setdefault(athlete, {})[result.name] = 1.0 - ours / theirs
    return table


def _finite(value: Any) -> Any:
    """JSON has no NaN: null instead; floats to six digits after the point."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
