"""The endpoint: features and horizons in, forecasts with bands out (model_fn, input_fn, predict_fn, output_fn).

Request `{"instances": [{"features": {name: value, …}, "horizons": [1, …]}]}`, answer `{"predictions":
[[{"horizon_days", "vo2max", "low_80", "high_80", "low_90", "high_90", "served_by"}, …], …], "records": […], "model":
{…}}`, in ml/kg/min. An instance may have

* `"history"`, the athlete's past (features.origins): the athlete's own record is worked out from it, as of the newest
  day of the features, and answered in `records`;
* `"record"`, what an earlier answer said in `records`: it is used as it is. Without either the record is blank;
* `"weekly_load": [300, …]`, a plan of the weeks ahead (the last goes on): then each day also has `"difference":
  {"expected", "low_90", "high_90"}` to training as usual.

What cannot be read is answered too, `{"error": {"status": 400, "title", "detail"}}`: of an exception SageMaker's
container would show its caller a page without the reason.
"""

import json
from dataclasses import asdict, dataclass
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from include.features.schema import NAMES, SCHEMA_VERSION, feature_vector
from include.forecast.forecaster import WHAT_IF, Forecaster, all_persistence, is_combined, load
from include.forecast.horizon import MAX_HORIZON_DAYS, Array
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, Records, blank, follow, join
from include.forecast.rows import Rows
from include.forecast.series import origin_rows
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
        "evidence": gate.get("evidence", {}),
    }
    return Served(forecaster, served_by, about)


@dataclass(frozen=True)
class Past:
    """An athlete's origins and targets, and the day (since 1970-01-01) as of which its record is asked."""

    rows: Rows
    as_of: int


@dataclass(frozen=True)
class Instance:
    """What is asked of one athlete.

    Attributes:
        vector: features in schema order.
        horizons: the days asked for.
        weekly_load: the planned load by week (empty: as usual).
        past: the athlete's record, or what to work it out from; None: none of its forecasts has come due.
    """

    vector: list[float]
    horizons: list[int]
    weekly_load: list[float]
    past: Past | Records | None = None


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
        plan = _plan(index, instance.get("weekly_load", []))
        return Instance(feature_vector(instance["features"]), horizons, plan, _past(instance))
    except ValueError as error:
        raise ValueError(f"instance {index}: {error}") from error


def _past(instance: dict[str, Any]) -> Past | Records | None:
    if instance.get("record") is not None:
        return Records.from_json(instance["record"])
    if instance.get("history") is None:
        return None
    rows = origin_rows(instance["history"])
    try:
        return Past(rows, (date.fromisoformat(instance["history"]["as_of"]) - date(1970, 1, 1)).days)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"history has no day that it is as of: {error}") from error


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
    records = join([_record(instance, model.forecaster) for instance in instances])
    values = _answers(model, features, horizon, records.at(np.repeat(np.arange(len(instances)), counts)))
    combined = is_combined(model.served_by, horizon)
    columns = [np.round(values, 3).tolist(), horizon.astype(int).tolist(), combined.tolist()]
    flat = [
        {
            "horizon_days": day,
            "vo2max": row[0],
            "low_80": row[1],
            "high_80": row[2],
            "low_90": row[3],
            "high_90": row[4],
            "served_by": COMBINED if by_combined else PERSISTENCE,
        }
        for row, day, by_combined in zip(*columns, strict=True)
    ]
    ends = np.cumsum(counts).tolist()
    for instance, end in zip(instances, ends, strict=True):
        days = slice(end - len(instance.horizons), end)
        if instance.weekly_load:
            differences = _differences(model, features[days], horizon[days], instance.weekly_load)
            flat[days] = [day | {"difference": change} for day, change in zip(flat[days], differences, strict=True)]
    return {
        "predictions": [flat[end - count : end] for end, count in zip(ends, counts, strict=True)],
        "records": [records.at(slice(index, index + 1)).to_json() for index in range(len(instances))],
        "model": model.about,
    }


def _record(instance: Instance, forecaster: Forecaster) -> Records:
    """The athlete's record: what has come due counts."""
    if instance.past is None:
        return blank(forecaster.start)
    if isinstance(instance.past, Records):
        return instance.past
    return follow(instance.past.rows, forecaster, np.array([instance.past.as_of]))


def _answers(model: Served, features: Array, horizon: Array, records: Records) -> Array:
    """Expected value, 80 % and 90 % band of each row."""
    served = model.forecaster.served(model.served_by, features, horizon, records)
    mean, (half_80, half_90) = features[:, _LAST_READING] + served.mean, served.half_width[:, -2:].T
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
