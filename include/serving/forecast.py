"""The forecast of one athlete: the latest features, sent through the endpoint, told with their origin."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.features.schema import EVENT_TIME, SPORT, from_record
from include.forecast.race_time import race_times
from include.serving import deployment
from include.serving.cache import AgedCache
from include.serving.clients import client
from include.serving.problem import Problem, no_data

MAX_HORIZON_DAYS = 42
RECORD_AGE_S = 30
"""Features change once a day, when Garmin data come in."""
ENOUGH_LOAD_DAYS = 120
ENOUGH_READINGS = 15
RETRY_AFTER_S = 30
NO_WHAT_IF = {"enabled": False, "reason": "the model does not say that planned training load improves its forecast"}
BUSY_CODES = frozenset(
    {"ServiceUnavailable", "ThrottlingException", "InternalDependencyException", "ModelNotReadyException"}
)

cache = AgedCache()


@dataclass(frozen=True)
class Latest:
    """The newest record of an athlete."""

    as_of: date
    sport: str
    features: dict[str, float | None]
    fingerprint: int
    """Differs when any value of the record does."""


def forecast(athlete_id: str, days: int, weekly_load: tuple[float, ...] = ()) -> dict[str, Any]:
    """The forecast for 1 to `days` days after the last day of data.

    With the planned load of the weeks ahead, each day also tells its `difference` to training as usual.

    Raises:
        Problem: 404 no data yet, 409 no VO2max reading yet, 503 nothing is served or it is busy, 502 the model failed.
    """
    latest: Latest = cache.get(("record", athlete_id), lambda: _latest(athlete_id), RECORD_AGE_S)
    if latest.features["vo2max_last"] is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "No VO2max reading yet",
            f"The watch of athlete {athlete_id!r} has given no VO2max yet, so there is nothing to forecast. Garmin "
            "makes a reading on an outdoor run or ride of 10 minutes and more with heart rate: sync one, try tomorrow.",
        )
    model = deployment.serving()
    if model is None:
        raise _not_served()
    key = ("answer", model["model_package_arn"], latest.fingerprint, weekly_load)
    answer = cache.get(key, lambda: _ask_endpoint(latest.features, weekly_load), RECORD_AGE_S)
    predictions = [p for p in answer["predictions"][0] if p["horizon_days"] <= days]
    # Solving for race times costs more than all the rest of an answer.
    races = cache.get((*key, days), lambda: race_times(latest.sport, predictions), RECORD_AGE_S)
    return _document(athlete_id, latest, predictions, answer.get("model", {}), model) | {"race_times": races}


def endpoint_state() -> str:
    """`serving`, `starting`, `failed` or `stopped`."""
    return "serving" if deployment.serving() is not None else _state_of_endpoint()


def _state_of_endpoint() -> str:
    """`starting`, `failed` or `stopped`; an endpoint in service whose stack is not complete yet is starting."""
    status = cache.get("endpoint", _endpoint_status, deployment.SERVING_AGE_S)
    states = {"Creating": "starting", "Updating": "starting", "InService": "starting", "Failed": "failed"}
    return states.get(status, "stopped")


def _latest(athlete_id: str) -> Latest:
    group = deployment.name("FEATURE_GROUP")
    try:
        answer = client("sagemaker-featurestore-runtime").get_record(
            FeatureGroupName=group, RecordIdentifierValueAsString=athlete_id
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        raise _unavailable("The feature store is not deployed", f"There is no feature group {group}.") from error
    record: list[dict[str, str]] | None = answer.get("Record")
    if not record:
        raise no_data(athlete_id)
    values = {item["FeatureName"]: item["ValueAsString"] for item in record}
    return Latest(
        as_of=date.fromisoformat(values[EVENT_TIME][:10]),
        sport=values[SPORT],
        features=from_record(record),
        fingerprint=hash(tuple(sorted(values.items()))),
    )


def _ask_endpoint(features: Mapping[str, float | None], weekly_load: tuple[float, ...]) -> dict[str, Any]:
    """The endpoint's answer for every horizon: it is kept, and any number of days is cut from it."""
    instance = {"features": features, "horizons": list(range(1, MAX_HORIZON_DAYS + 1)), "weekly_load": weekly_load}
    try:
        answer = client("sagemaker-runtime").invoke_endpoint(
            EndpointName=deployment.endpoint_name(),
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"instances": [instance]}),
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
            raise _unavailable("The endpoint is busy", "The endpoint is busy or waking up.", retry_after_s=5) from error
        if "not found" in message.lower():
            raise _not_served() from error
        raise
    except BotoCoreError as error:
        raise _unavailable("The endpoint did not answer", "The endpoint did not answer in time.", 10) from error
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
        return _unavailable("The model is starting", "The endpoint is being started, which takes a few minutes.")
    return _unavailable(
        "No model is served",
        "The endpoint is stopped or no model is approved yet. Approve a model package, or send the event "
        "'Endpoint Start Requested' (the DAG model_deploy does), to start it.",
    )


def _unavailable(title: str, detail: str, retry_after_s: int = RETRY_AFTER_S) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, title, f"{detail} Try again in {retry_after_s} s.", retry_after_s=retry_after_s
    )


def _document(
    athlete_id: str,
    latest: Latest,
    predictions: list[dict[str, Any]],
    served: Mapping[str, Any],
    model: Mapping[str, str],
) -> dict[str, Any]:
    as_of, features = latest.as_of, latest.features
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
        "model": {
            "version": served.get("version") or model["model_version"],
            "dataset_version": served.get("dataset_version") or model["dataset_version"],
        },
        "what_if": served.get("what_if") or NO_WHAT_IF,
        "days": [{"day": (as_of + timedelta(days=p["horizon_days"])).isoformat(), **p} for p in predictions],
    }


def low_confidence_reason(
    features: Mapping[str, float | None], hardly_tested: Mapping[str, str], days: int
) -> str | None:
    """Why the forecast of so many days is to be taken with care, in plain words; None where nothing speaks against it.

    `hardly_tested` is what the model says of itself: a reason for each bucket of horizons (`29-42`) with few tests.
    """
    lacks = _lacks(features)
    sentences = [f"Short history: {'; '.join(lacks)}."] if lacks else []
    for bucket, reason in hardly_tested.items():
        if int(bucket.split("-")[0]) <= days:
            sentences.append(f"Days {bucket.replace('-', '–')}: {reason}.")
    return " ".join(sentences) or None


def _lacks(features: Mapping[str, float | None]) -> list[str]:
    """What an athlete's history lacks for a forecast of full confidence."""
    lacks = []
    history_days = round(features["history_days"] or 0)
    readings = round(features["readings"] or 0)
    if features["load_42d"] is None:
        lacks.append("there is no training load")
    elif history_days < ENOUGH_LOAD_DAYS:
        lacks.append(f"there are {history_days} days of training, {ENOUGH_LOAD_DAYS} are enough")
    if readings < ENOUGH_READINGS:
        have = "there is 1 reading" if readings == 1 else f"there are {readings} readings"
        lacks.append(f"{have}, {ENOUGH_READINGS} are enough")
    return lacks
