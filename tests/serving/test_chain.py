"""The serving chain on local AWS: an approval starts the endpoint, the API answers through it, a stop ends it."""

import io
import json
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from include import lake
from include.deploy import project
from include.deploy.stack import find_stack
from include.features import schema
from include.settings import Settings
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(170)
SETTINGS = Settings(project="chain-test", account_id="123456789012")

INFERENCE = """
import json, time
asleep = True
def model_fn(model_dir):
    return open(model_dir + "/version").read()
def transform_fn(version, body, content_type, accept):
    global asleep
    if version.startswith("waking") and asleep:
        time.sleep(24)
        asleep = False
    days = []
    request = json.loads(body)["instances"][0]
    for h in request["horizons"]:
        v = request["features"]["vo2max_last"]
        days.append({"horizon_days": h, "vo2max": v, "low_80": v - 1, "high_80": v + 1, "low_90": v - 2, "high_90": v + 2,
                     "served_by": "persistence"})
    about = {"version": version, "dataset_version": "d1", "evidence": {"1-7": {"sentence": "It was measured."}}}
    windows = len(request.get("history", {}).get("days", []))
    own = {"1-7": {"weights": {"persistence": 1.0}, "band_scale": {}, "windows": windows, "gain": 0.0}}
    record = request.get("record") or own
    return json.dumps({"predictions": [days], "records": [record], "model": about}), "application/json"
"""


def model_archive(version: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in (("code/inference.py", INFERENCE), ("version", version)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Api:
    """The deployed API, as its users call it."""

    url: str
    key: str

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, headers={"x-api-key": self.key, **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def api(localaws: LocalAws) -> Api:
    """All stacks deployed, one athlete with data."""
    for name in ("access", "data", "features", "ml"):
        project.deploy(localaws.client, SETTINGS, name)
    project.release(localaws.client, SETTINGS)
    outputs = project.deploy(localaws.client, SETTINGS, "serving").outputs
    s3 = localaws.client("s3")
    s3.put_object(Bucket=SETTINGS.bucket, Key=lake.ATHLETES_KEY, Body=b'{"athletes": ["anna"]}')
    history = {"athlete_id": "anna", "sport": "running", "as_of": "2026-11-20", "readings": [], "load": []}
    s3.put_object(Bucket=SETTINGS.bucket, Key=lake.history_key("anna"), Body=json.dumps(history).encode())
    origins = {
        "schema_version": schema.SCHEMA_VERSION,
        "as_of": "2026-11-20",
        "features": list(schema.NAMES),
        "days": ["2026-11-01", "2026-11-20"],
        "sports": ["running"] * 2,
        "rows": [[1.0] * len(schema.NAMES)] * 2,
    }
    s3.put_object(Bucket=SETTINGS.bucket, Key=lake.origins_key("anna"), Body=json.dumps(origins).encode())
    values = dict.fromkeys(schema.NAMES, "1.0") | {"vo2max_last": "50.0", "readings": "40.0", "history_days": "300.0"}
    values |= {"athlete_id": "anna", "event_time": "2026-11-20T00:00:00Z", "sport": "running"}
    localaws.client("sagemaker-featurestore-runtime").put_record(
        FeatureGroupName=SETTINGS.feature_group,
        Record=[{"FeatureName": name, "ValueAsString": value} for name, value in values.items()],
    )
    key = localaws.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    return Api(f"{localaws.url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_", key)


def approve_new_package(localaws: LocalAws, version: str) -> str:
    s3, sagemaker = localaws.client("s3"), localaws.client("sagemaker")
    model_key = f"{lake.model_prefix(version)}model.tar.gz"
    s3.put_object(Bucket=SETTINGS.bucket, Key=model_key, Body=model_archive(version))
    report_key = f"{lake.report_prefix(version)}evaluation.json"
    evaluation = {"buckets": {"1-7": {"crps": 0.2}}, "gate": {"served_by": {"1-7": "persistence"}}}
    s3.put_object(Bucket=SETTINGS.bucket, Key=report_key, Body=json.dumps(evaluation).encode())
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=SETTINGS.model_package_group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": SETTINGS.xgboost_image, "ModelDataUrl": f"s3://{SETTINGS.bucket}/{model_key}"}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelMetrics={
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{SETTINGS.bucket}/{report_key}"}
            }
        },
        CustomerMetadataProperties={
            "model_version": version,
            "dataset_version": "d1",
            "feature_group": SETTINGS.feature_group,
        },
    )["ModelPackageArn"]
    wait_until(lambda: sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"] == "Completed")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return arn


def wait_until(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not so within {seconds} s")


def test_from_approval_to_forecast_to_stop(localaws: LocalAws, api: Api) -> None:
    cloudformation, stack = localaws.client("cloudformation"), SETTINGS.stack("endpoint")
    status, problem = api.get("/athletes/anna/forecast")
    assert (status, problem["title"]) == (503, "No model is served")

    arn = approve_new_package(localaws, "m1")
    wait_until(lambda: (find_stack(cloudformation, stack) or {}).get("StackStatus") == "CREATE_COMPLETE")
    status, forecast = wait_until(lambda: (a := api.get("/athletes/anna/forecast?days=7"))[0] == 200 and a)
    assert forecast["model"]["version"] == "m1"
    assert [day["horizon_days"] for day in forecast["days"]] == list(range(1, 8))
    assert forecast["own_record"] == {"1-7": {"windows": 2, "gain": 0.0, "weights": {"persistence": 1.0}}}
    assert forecast["evidence"][0]["sentence"].startswith("It was measured. On this athlete's own days so far (2 win")
    status, model = api.get("/model")
    assert (status, model["model_package_arn"], model["metrics"]) == (200, arn, {"1-7": {"crps": 0.2}})
    assert api.get("/health")[1]["endpoint"] == "serving"
    assert api.get("/athletes/anna/history")[1]["sport"] == "running"

    approve_new_package(localaws, "m2")
    wait_until(lambda: api.get("/athletes/anna/forecast")[1].get("model", {}).get("version") == "m2")
    wait_until(lambda: find_stack(cloudformation, stack)["StackStatus"] == "UPDATE_COMPLETE")
    endpoints = localaws.client("sagemaker").list_endpoint_configs(NameContains="chain-test")["EndpointConfigs"]
    assert len(endpoints) == 1, "the old configuration is gone"

    started = localaws.client("lambda").invoke(FunctionName="chain-test-start", Payload=b"{}")
    assert json.loads(started["Payload"].read())["action"] == "none: served already"

    entry = {"Source": "chain-test", "DetailType": "Endpoint Stop Requested", "Detail": "{}"}
    localaws.client("events").put_events(Entries=[entry])
    wait_until(lambda: find_stack(cloudformation, stack) is None)
    assert localaws.client("sagemaker").list_endpoints(NameContains="chain-test")["Endpoints"] == []
    status, problem = wait_until(lambda: (a := api.get("/athletes/anna/forecast"))[0] == 503 and a)
    assert problem["title"] == "No model is served"


def test_an_endpoint_that_is_waking_is_503_in_time_and_waited_for_by_the_smoke_test(
    localaws: LocalAws, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))  # before the first import of it
    monkeypatch.setenv("AWS_ENDPOINT_URL", localaws.url)
    from plugins.operators.smoke import first_forecast

    approve_new_package(localaws, "waking")
    stack = SETTINGS.stack("endpoint")
    cloudformation = localaws.client("cloudformation")
    wait_until(lambda: (find_stack(cloudformation, stack) or {}).get("StackStatus") == "CREATE_COMPLETE")
    wait_until(lambda: api.get("/health")[1]["endpoint"] == "serving")
    registry = {"athletes": [{"athlete_id": "anna", "source": "garminconnect"}]}
    localaws.client("s3").put_object(Bucket=SETTINGS.bucket, Key=lake.ATHLETES_KEY, Body=json.dumps(registry).encode())
    outputs = project.deploy(localaws.client, SETTINGS, "serving").outputs
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        asked.append(time.monotonic() - started)
        time.sleep(seconds)

    started = time.monotonic()
    answer = first_forecast(localaws.client("s3"), localaws.client("apigateway"), SETTINGS, outputs, sleep=sleep)
    assert answer.startswith("anna: 42 days")
    assert asked and 20 <= asked[0] < 26, "the first answer was 503, before the Lambda or the gateway gave up"

    localaws.client("lambda").invoke(FunctionName="chain-test-stop", Payload=b"{}")
    wait_until(lambda: find_stack(cloudformation, stack) is None)


def test_a_person_may_give_keys_to_athletes_and_no_deployment_changes_it(localaws: LocalAws, api: Api) -> None:
    s3 = localaws.client("s3")
    seeded = json.loads(s3.get_object(Bucket=SETTINGS.bucket, Key=lake.API_KEYS_KEY)["Body"].read())
    (key_id,) = seeded
    assert seeded == {key_id: ["*"]}
    many = {f"key{number:06}": [f"athlete-{number}"] for number in range(1000)}
    body = json.dumps({key_id: ["ben"], **many}).encode()
    assert len(body) > 4096, "more than a parameter of SSM holds"
    s3.put_object(Bucket=SETTINGS.bucket, Key=lake.API_KEYS_KEY, Body=body)
    project.deploy(localaws.client, SETTINGS, "serving", overrides={"RateLimit": "6"})
    assert s3.get_object(Bucket=SETTINGS.bucket, Key=lake.API_KEYS_KEY)["Body"].read() == body
    s3.put_object(Bucket=SETTINGS.bucket, Key=lake.API_KEYS_KEY, Body=json.dumps(seeded).encode())


def test_the_gateway_answers_in_problems_too(api: Api) -> None:
    assert api.get("/athletes", **{"x-api-key": "wrong"})[1]["field"] == "x-api-key"
    status, problem = api.get("/nowhere")
    assert (status, problem["title"]) == (404, "No such route")
    status, problem = api.get("/athletes/anna/forecast?days=0")
    assert (status, problem["field"]) == (400, "days")
