"""The forecast of one athlete: the latest features and the own past, sent through the endpoint, with the evidence."""

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.forecast.race_time import race_times
from include.serving import deployment
from include.serving.cache import AgedCache
from include.serving.clients import client
from include.serving.evidence import evidence, low_confidence_reason, training_notes
from include.serving.latest import Latest, latest_record
from include.serving.own_record import OwnPast, own_past, shown_record
from include.serving.problem import Problem, unavailable

MAX_HORIZON_DAYS = 42
RECORD_AGE_S = 30
"""Features change once a day, when Garmin data come in."""
NO_WHAT_IF = {"enabled": False, "reason": "the model does not say that planned training load improves its forecast"}
BUSY_CODES = frozenset(
    {"ServiceUnavailable", "ThrottlingException", "InternalDependencyException", "ModelNotReadyException"}
)

cache = AgedCache()


def forecast(athlete_id: str, days: int, weekly_load: tuple[float, ...] = ()) -> dict[str, Any]:
    """The forecast for 1 to `days` days after the last day of data, with the evidence that it rests on.

    With the planned load of the weeks ahead, each day also tells its `difference` to training as usual.

    Raises:
        Problem: 404 no data yet, 409 no VO2max reading yet, 503 nothing is served or it is busy, 502 the model failed.
    """
    latest: Latest = cache.get(("record", athlete_id), lambda: latest_record(athlete_id), RECORD_AGE_S)
    if latest.features["vo2max_last"] is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "No VO2max reading yet",
            f"The watch of athlete {athlete_id!r} has given no VO2max of a run or ride yet, so there is nothing to "
            "forecast. What it gives on walks is kept as a series of its own, and is not forecast. Garmin makes a "
            "reading on an outdoor run or ride of 10 minutes and more with heart rate: sync one, try tomorrow.",
        )
    model = deployment.serving()
    if model is None:
        raise _not_served()
    key = ("answer", model["model_package_arn"], latest.fingerprint, weekly_load)

    def ask() -> dict[str, Any]:
        past = own_past(athlete_id, latest, model["model_package_arn"])
        found = _ask_endpoint(latest.features, weekly_load, past)
        return found | {"record": past.record_of_answer(found)}

    answer = cache.get(key, ask, RECORD_AGE_S)
    predictions = [p for p in answer["predictions"][0] if p["horizon_days"] <= days]
    # Solving for race times costs more than all the rest of an answer.
    races = cache.get((*key, days), lambda: race_times(latest.sport, predictions), RECORD_AGE_S)
    return _document(athlete_id, latest, predictions, answer, model) | {"race_times": races}


def endpoint_state() -> str:
    """`serving`, `starting`, `failed` or `stopped`."""
    return "serving" if deployment.serving() is not None else _state_of_endpoint()


def _state_of_endpoint() -> str:
    """`starting`, `failed` or `stopped`; an endpoint in service whose stack is not complete yet is starting."""
    status = cache.get("endpoint", _endpoint_status, deployment.SERVING_AGE_S)
    states = {"Creating": "starting", "Updating": "starting", "InService": "starting", "Failed": "failed"}
    return states.get(status, "stopped")


def _ask_endpoint(
    features: Mapping[str, float | None], weekly_load: tuple[float, ...], past: OwnPast
) -> dict[str, Any]:
    """The endpoint's answer for every horizon: it is kept, and any number of days is cut from it."""
    horizons = list(range(1, MAX_HORIZON_DAYS + 1))
    instance = {"features": features, "horizons": horizons, "weekly_load": weekly_load, **past.fields}
    try:
        answer = client("sagemaker-runtime").invoke_endpoint(
            EndpointName=deployment.endpoint_name(),
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"instances": [instance]}, separators=(",", ":")),
        )
        found: dict[str, Any] = json.loads(answer["Body"].read())
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "ModelError":
            raise Problem(
                HTTPStatus.BAD_GATEWAY,
                "The model failed",
                "The endpoint could not make a forecast from this athlete's features; its log says why.",
            ) from error
        if code in BUSY_CODES:
            raise unavailable("The endpoint is busy", "The endpoint is busy or waking up.", retry_after_s=5) from error
        if "not found" in message.lower():
            raise _not_served() from error
        raise
    except BotoCoreError as error:
        raise unavailable("The endpoint did not answer", "The endpoint did not answer in time.", 10) from error
    if "error" in found:
        raise Problem(
            HTTPStatus.BAD_GATEWAY,
            "The model failed",
            f"The endpoint could not make a forecast from this athlete's features: {found['error']['detail']}.",
        )
    return found


def _endpoint_status() -> str:
    try:
        return str(client("sagemaker").describe_endpoint(EndpointName=deployment.endpoint_name())["EndpointStatus"])
    except ClientError:
        return "none"


def _not_served() -> Problem:
    if _state_of_endpoint() == "starting":
        return unavailable("The model is starting", "The endpoint is being started, which takes a few minutes.")
    return unavailable(
        "No model is served",
        "The endpoint is stopped or no model is approved yet. Approve a model package, or send the event "
        "'Endpoint Start Requested' (the DAG model_deploy does), to start it.",
    )


def _document(
    athlete_id: str,
    latest: Latest,
    predictions: list[dict[str, Any]],
    answer: Mapping[str, Any],
    model: Mapping[str, str],
) -> dict[str, Any]:
    as_of, features = latest.as_of, latest.features
    served: Mapping[str, Any] = answer.get("model") or {}
    record: Mapping[str, Any] = answer["record"]
    age_days = round(features["reading_age_days"] or 0)
    reason = low_confidence_reason(features, served.get("low_confidence") or {}, len(predictions))
    return {
        "athlete_id": athlete_id,
        "sport": latest.sport,
        "as_of": as_of.isoformat(),
        "last_reading": {
            "vo2max": features["vo2max_last"],
            "day": (as_of - timedelta(days=age_days)).isoformat(),
            "age_days": age_days,
        },
        "confidence": "low" if reason else "normal",
        "confidence_reason": reason,
        "notes": training_notes(features),
        "evidence": evidence(served.get("evidence") or {}, record, predictions),
        "own_record": shown_record(record, len(predictions)),
        "model": {
            "version": served.get("version") or model["model_version"],
            "dataset_version": served.get("dataset_version") or model["dataset_version"],
        },
        "what_if": served.get("what_if") or NO_WHAT_IF,
        "days": [{"day": (as_of + timedelta(days=p["horizon_days"])).isoformat(), **p} for p in predictions],
    }
