"""The endpoint: features and horizons in, forecasts with bands out (model_fn, input_fn, predict_fn, output_fn).

Request `{"instances": [{"features": {name: value, …}, "horizons": [1, …]}]}`, answer `{"predictions":
[[{"horizon_days", "vo2max", "low_80", "high_80", "low_90", "high_90", "served_by"}, …], …], "model": {…}}`, in
ml/kg/min. An instance may have a plan, `"weekly_load": [300, …]` (of the weeks ahead; the last goes on): then each day
also has `"difference": {"expected", "low_90", "high_90"}` to training as usual.

What cannot be read is answered too, `{"error": {"status": 400, "title", "detail"}}`: of an exception SageMaker's
container would show its caller a page without the reason.
"""

import json
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from include.features.schema import NAMES, SCHEMA_VERSION, feature_vector
from include.forecast.forecaster import (
    FORECASTER,
    PERSISTENCE,
    WHAT_IF,
    Forecaster,
    all_persistence,
    is_by_forecaster,
    load,
)
from include.forecast.horizon import MAX_HORIZON_DAYS, Array
from include.forecast.what_if import plan_mean

GATE_FILE = "gate.json"
JSON = "application/json"
MOST_WEEKLY_LOAD = 10_000
_LAST_READING = NAMES.index("vo2max_last")


@dataclass(frozen=True)
class Served:
    """A forecaster, and what the gate lets answer each bucket."""

    forecaster: Forecaster
    served_by: dict[str, str]
    about: dict[str, Any]


def model_fn(model_dir: str) -> Served:
    """The model of an artifact; without `gate.json` (a package that met no gate) persistence answers everything."""
    directory = Path(model_dir)
    forecaster = load(directory)
    gate: dict[str, Any] = {}
    if (directory / GATE_FILE).exists():
        gate = json.loads((directory / GATE_FILE).read_text())
    served_by = gate.get("served_by", all_persistence())
    about = {
        "version": forecaster.about.get("model_version", ""),
        "dataset_version": forecaster.about.get("dataset_version", ""),
        "schema_version": SCHEMA_VERSION,
        "served_by": served_by,
        "low_confidence": gate.get("low_confidence", {}),
        "what_if": gate.get("what_if", WHAT_IF),
    }
    return Served(forecaster, served_by, about)


@dataclass(frozen=True)
class Instance:
    """A feature vector in schema order, the days asked for, and the planned load by week (empty: as usual)."""

    vector: list[float]
    horizons: list[int]
    weekly_load: list[float]


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered with forecasts."""

    status: int
    title: str
    detail: str


def input_fn(body: str | bytes, content_type: str = JSON) -> list[Instance] | Refusal:
    """The instances of a request, or why they cannot be read."""
    try:
        return read_instances(body, content_type)
    except ValueError as error:
        return Refusal(HTTPStatus.BAD_REQUEST, "The request cannot be read", str(error))


def read_instances(body: str | bytes, content_type: str = JSON) -> list[Instance]:
    """The instances of a request.

    Raises:
        ValueError: another content type, no JSON, or an instance that is wrong; the text names instance and feature.
    """
    if content_type.split(";", maxsplit=1)[0].strip() != JSON:
        raise ValueError(f"content type {content_type!r}: this endpoint reads {JSON}")
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list) or not instances:
        raise ValueError('the request needs "instances", a list of one or more')
    return [_instance(index, instance) for index, instance in enumerate(instances)]


def _instance(index: int, instance: Any) -> Instance:
    if not isinstance(instance, dict) or not isinstance(instance.get("features"), dict):
        raise ValueError(f'instance {index}: needs "features" (an object) and "horizons" (a list)')
    given = instance.get("horizons")
    horizons = [day for day in given if type(day) is int] if isinstance(given, list) else []
    if not horizons or horizons != given or not all(1 <= day <= MAX_HORIZON_DAYS for day in horizons):
        raise ValueError(f"instance {index}: horizons must be whole days from 1 to {MAX_HORIZON_DAYS}")
    try:
        return Instance(feature_vector(instance["features"]), horizons, _plan(index, instance.get("weekly_load", [])))
    except ValueError as error:
        raise ValueError(f"instance {index}: {error}") from error


def _plan(index: int, given: Any) -> list[float]:
    weeks = [load for load in given if type(load) in (int, float)] if isinstance(given, list) else None
    if weeks is None or len(weeks) != len(given) or not all(0 <= load <= MOST_WEEKLY_LOAD for load in weeks):
        raise ValueError(f"instance {index}: weekly_load must be a list of numbers from 0 to {MOST_WEEKLY_LOAD}")
    if len(weeks) > MAX_HORIZON_DAYS // 7:
        raise ValueError(f"instance {index}: weekly_load may have {MAX_HORIZON_DAYS // 7} weeks, not {len(weeks)}")
    return [float(load) for load in weeks]


def predict_fn(instances: list[Instance] | Refusal, model: Served) -> dict[str, Any]:
    """Forecasts of all instances in one pass; a refusal goes on as it is."""
    if isinstance(instances, Refusal):
        return {"error": asdict(instances)}
    counts = [len(instance.horizons) for instance in instances]
    features = np.repeat(np.array([instance.vector for instance in instances]), counts, axis=0)
    horizon = np.array([day for instance in instances for day in instance.horizons], dtype=float)
    values, by_forecaster = _answers(model, features, horizon), is_by_forecaster(model.served_by, horizon)
    columns = [np.round(values, 3).tolist(), horizon.astype(int).tolist(), by_forecaster.tolist()]
    flat = [
        {
            "horizon_days": day,
            "vo2max": row[0],
            "low_80": row[1],
            "high_80": row[2],
            "low_90": row[3],
            "high_90": row[4],
            "served_by": FORECASTER if is_forecaster else PERSISTENCE,
        }
        for row, day, is_forecaster in zip(*columns, strict=True)
    ]
    ends = np.cumsum(counts).tolist()
    for instance, end in zip(instances, ends, strict=True):
        mine = slice(end - len(instance.horizons), end)
        if instance.weekly_load:
            differences = _differences(model, features[mine], horizon[mine], instance.weekly_load)
            flat[mine] = [day | {"difference": one} for day, one in zip(flat[mine], differences, strict=True)]
    return {
        "predictions": [flat[end - count : end] for end, count in zip(ends, counts, strict=True)],
        "model": model.about,
    }


def _answers(model: Served, features: Array, horizon: Array) -> Array:
    """Expected value, 80 % and 90 % band of each row."""
    told = model.forecaster.served(model.served_by, features, horizon)
    mean, (half_80, half_90) = features[:, _LAST_READING] + told.mean, told.half_width[:, -2:].T
    return np.column_stack([mean, mean - half_80, mean + half_80, mean - half_90, mean + half_90])


def _differences(model: Served, features: Array, horizon: Array, weekly_load: list[float]) -> list[dict[str, float]]:
    """What the plan changes about each day (ml/kg/min): an association, not an effect of training."""
    forecaster = model.forecaster
    table = forecaster.effect.difference(
        features, plan_mean(weekly_load, horizon), horizon, forecaster.volatility(features)
    )
    return [dict(zip(("expected", "low_90", "high_90"), row, strict=True)) for row in np.round(table, 3).tolist()]


def output_fn(prediction: dict[str, Any], accept: str = JSON) -> tuple[str, str]:
    """The answer as JSON, with its content type: without one the container would call it HTML."""
    if not any(wanted in accept for wanted in (JSON, "*/*", "application/*")):
        detail = f"accept {accept!r}: this endpoint answers {JSON}"
        prediction = {"error": asdict(Refusal(HTTPStatus.NOT_ACCEPTABLE, "No such type of answer", detail))}
    return json.dumps(prediction), JSON
