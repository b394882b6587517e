"""Canned AWS behind the handlers, whose requests are checked against botocore's own service models."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from include.features import schema
from include.serving import deployment, endpoint_control, forecast, history, latest, own_record
from tests.localaws.conftest import localaws  # noqa: F401 (a fixture)

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/ff-vo2max/3"
RANGES = ("1-7", "8-14", "15-28", "29-42")
MODELS = botocore.session.get_session()


def client_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class FakeAws:
    """`answers["service.operation"]` is a value, an exception or a function of the request."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:
        return FakeClient(self, service)

    def count(self, call: str) -> int:
        return sum(1 for name, _ in self.calls if name == call)


class FakeClient:
    def __init__(self, aws: FakeAws, service: str) -> None:
        self.aws, self.service = aws, service
        self.model = MODELS.get_service_model(service)
        self.operations = {xform_name(name): name for name in self.model.operation_names}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = self.model.operation_model(self.operations[name])

        def call(**request: Any) -> Any:
            validate_parameters(request, operation.input_shape)
            key = f"{self.service}.{name}"
            self.aws.calls.append((key, request))
            answer = self.aws.answers[key]
            answer = answer(request) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def record(**changes: str | None) -> list[dict[str, str]]:
    """A full record of the feature store; None takes a feature away."""
    values: dict[str, str | None] = dict.fromkeys(schema.NAMES, "1.5")
    values |= {"vo2max_last": "50.0", "reading_age_days": "2.0", "readings": "40.0", "history_days": "300.0"}
    values |= {"reading_history_days": "290.0"}
    values |= {"athlete_id": "anna", "event_time": "2026-11-20T00:00:00Z", "sport": "running"}
    values |= changes
    return [{"FeatureName": name, "ValueAsString": value} for name, value in values.items() if value is not None]


def predictions() -> dict[str, Any]:
    """What the endpoint answers for horizons 1 to 42."""
    days = [
        {
            "horizon_days": h,
            "vo2max": 50.0,
            "low_80": 49.0,
            "high_80": 51.0,
            "low_90": 48.5,
            "high_90": 51.5,
            "served_by": "persistence" if h < 15 else "combined",
        }
        for h in range(1, 43)
    ]
    return {
        "predictions": [days],
        "model": {
            "version": "m2",
            "dataset_version": "d2",
            "what_if": {"enabled": False, "reason": "it proved no gain"},
            "evidence": {name: {"sentence": f"Evidence of {name}."} for name in RANGES},
        },
        "records": [own_past_record()],
    }


def own_past_record(windows: float = 12.0, gain: float = -0.05) -> dict[str, Any]:
    """What the endpoint makes of an athlete's history, the same for each range of days."""
    weights = {"forecaster": 0.7512345, "persistence": 0.1, "no_reversion": 0.1, "damped_drift": 0.0487655}
    scale = {"combined": 1.0, "persistence": 1.0}
    return {name: {"weights": weights, "band_scale": scale, "windows": windows, "gain": gain} for name in RANGES}


def body(document: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(document).encode())


DOCUMENTS = {
    "config/athletes.json": {"athletes": ["anna", {"athlete_id": "ben", "source": "garminconnect"}]},
    "config/api-keys.json": {"all": ["*"], "annas": ["anna"]},
    "reports/evaluation.json": {"buckets": {"1-7": {"crps": 0.2}}, "gate": {"served_by": {"1-7": "persistence"}}},
    "serving/history/athlete_id=anna/history.json": {
        "athlete_id": "anna",
        "sport": "running",
        "as_of": "2026-11-20",
        "readings": [{"day": f"2026-11-{d:02}", "vo2max": 50.0, "is_precise": True} for d in (1, 10, 20)],
        "load": [
            {"day": f"2026-11-{d:02}", "load": 100.0, "ctl": 40.0, "atl": 50.0, "tsb": -10.0} for d in (1, 10, 20)
        ],
    },
}
ORIGINS_KEY = "serving/origins/athlete_id=anna/origins.json"
DOCUMENTS[ORIGINS_KEY] = {
    "schema_version": schema.SCHEMA_VERSION,
    "as_of": "2026-11-20",
    "features": list(schema.NAMES),
    "days": ["2026-11-01", "2026-11-10", "2026-11-20"],
    "sports": ["running"] * 3,
    "rows": [[1.5] * len(schema.NAMES), [1.5] * len(schema.NAMES), [None] * len(schema.NAMES)],
}
PARAMETERS = {
    "/ff/serving": {
        "model_package_arn": ARN,
        "model_version": "m1",
        "dataset_version": "d1",
        "approved_at": "2026-11-20T00:00:00Z",
    },
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """A deployment where all is well: two athletes, two keys, one model."""
    fake = FakeAws()

    def get_parameter(request: dict[str, Any]) -> Any:
        found = PARAMETERS.get(request["Name"])
        return {"Parameter": {"Value": json.dumps(found)}} if found else client_error("ParameterNotFound")

    def get_object(request: dict[str, Any]) -> Any:
        assert (request["Bucket"], request["ExpectedBucketOwner"]) == ("lake", "123456789012")
        found = DOCUMENTS.get(request["Key"])
        return {"Body": body(found)} if found else client_error("NoSuchKey")

    fake.answers = {
        "ssm.get_parameter": get_parameter,
        "s3.get_object": get_object,
        "sagemaker-featurestore-runtime.get_record": {"Record": record()},
        "sagemaker-runtime.invoke_endpoint": lambda _: {"Body": body(predictions())},
        "sagemaker.describe_endpoint": client_error("ValidationException", "Could not find endpoint"),
        "sagemaker.describe_model_package": {
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://lake/reports/evaluation.json"}}}
        },
    }
    for module in (deployment, forecast, history, latest, endpoint_control):
        monkeypatch.setattr(module, "client", fake.client)
    for module in (deployment, forecast, history, own_record):
        module.cache.clear()
    for name, value in {
        "PROJECT": "ff",
        "BUCKET": "lake",
        "ACCOUNT_ID": "123456789012",
        "FEATURE_GROUP": "ff-athlete-day-v1",
        "ENDPOINT": "ff-vo2max",
    }.items():
        monkeypatch.setenv(name, value)
    yield fake
    for module in (deployment, forecast, history, own_record):
        module.cache.clear()
