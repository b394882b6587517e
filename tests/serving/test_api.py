"""Every route of the API and every way it can fail."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from include.serving import api, deployment, forecast
from tests.serving.conftest import FakeAws, body, client_error, predictions, record

FORECAST = "/athletes/{id}/forecast"
HISTORY = "/athletes/{id}/history"


def call(
    resource: str,
    method: str = "GET",
    *,
    athlete: str | None = None,
    key: str | None = "all",
    text: str | None = None,
    **query: str,
) -> dict[str, Any]:
    """The event of API Gateway, answered; `document` is the parsed body."""
    event = {
        "resource": resource,
        "httpMethod": method,
        "headers": None,
        "pathParameters": {"id": athlete} if athlete else None,
        "queryStringParameters": query or None,
        "requestContext": {"requestId": "r-1", "identity": {"apiKeyId": key}},
        "body": text,
    }
    answer = api.handler(event, None)
    if "json" in answer["headers"]["Content-Type"]:
        answer["document"] = json.loads(answer["body"])
    return answer


def problem(answer: dict[str, Any], status: int) -> dict[str, Any]:
    """The problem of an answer that must be one."""
    assert answer["statusCode"] == status, answer["body"]
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer["document"]
    assert document["status"] == status
    assert document["request_id"] == "r-1"
    assert document["title"] and document["detail"]
    assert "Traceback" not in answer["body"]
    return document


def test_forecast_holds_all_that_the_contract_says(aws: FakeAws) -> None:
    answer = call(FORECAST, athlete="anna")
    document = answer["document"]
    assert answer["statusCode"] == 200
    assert document["as_of"] == "2026-11-20"
    assert document["last_reading"] == {"vo2max": 50.0, "day": "2026-11-18", "age_days": 2}
    assert (document["confidence"], document["confidence_reason"], document["notes"]) == ("normal", None, [])
    assert [entry["days"] for entry in document["evidence"]] == ["1-7", "8-14", "15-28", "29-42"]
    assert document["evidence"][-1] == {
        "days": "29-42",
        "answered_by": "combined",
        "sentence": "Evidence of 29-42. This athlete's own forecasts so far (12 windows) were 5 % better than the last "
        "reading.",
    }
    assert document["own_record"]["1-7"] == {
        "windows": 12.0,
        "gain": -0.05,
        "weights": {"forecaster": 0.751, "persistence": 0.1, "no_reversion": 0.1, "damped_drift": 0.049},
    }
    assert document["model"] == {"version": "m2", "dataset_version": "d2"}, "the endpoint itself says what it serves"
    assert len(document["days"]) == 42
    assert document["days"][0] == {"day": "2026-11-21", **predictions()["predictions"][0][0]}
    assert document["days"][-1]["day"] == "2027-01-01"
    assert [race["race"] for race in document["race_times"]["races"]] == ["5k", "10k", "half_marathon", "marathon"]


def test_forecast_is_cut_to_the_days_asked_for(aws: FakeAws) -> None:
    document = call(FORECAST, athlete="anna", days="7")["document"]
    assert [day["horizon_days"] for day in document["days"]] == list(range(1, 8))
    assert document["race_times"]["horizon_days"] == 7
    assert [entry["days"] for entry in document["evidence"]] == list(document["own_record"]) == ["1-7"]


def test_a_missing_optional_feature_is_sent_as_null(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(hrv_7d=None)}
    assert call(FORECAST, athlete="anna")["statusCode"] == 200
    sent = json.loads(dict(aws.calls)["sagemaker-runtime.invoke_endpoint"]["Body"])
    assert sent["instances"][0]["features"]["hrv_7d"] is None
    assert sent["instances"][0]["horizons"] == list(range(1, 43))


def test_cycling_has_no_race_times(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(sport="cycling")}
    assert call(FORECAST, athlete="anna")["document"]["race_times"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"history_days": "119.0"}, "119 days of training"),
        ({"readings": "14.0"}, "14 readings"),
        ({"readings": "1.0"}, "1 reading,"),
        ({"reading_history_days": "30.0"}, "span 30 days"),
    ],
)
def test_confidence_is_low_on_a_short_history(aws: FakeAws, changes: dict[str, Any], reason: str) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(**changes)}
    document = call(FORECAST, athlete="anna")["document"]
    assert document["confidence"] == "low"
    assert reason in document["confidence_reason"]


def test_an_athlete_without_training_and_with_many_readings_has_normal_confidence_and_is_told(aws: FakeAws) -> None:
    unknown = dict.fromkeys(("load_42d", "days_since_activity", "training_hours_mean"))
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(readings="588.0", **unknown)}
    document = call(FORECAST, athlete="anna")["document"]
    assert (document["confidence"], document["confidence_reason"]) == ("normal", None)
    assert document["notes"] == ["No training is known of this athlete: the forecast rests on the readings alone."]


def test_a_model_that_says_no_evidence_is_answered_without(aws: FakeAws) -> None:
    answer = predictions()
    del answer["records"], answer["model"]["evidence"]
    aws.answers["sagemaker-runtime.invoke_endpoint"] = lambda _: {"Body": body(answer)}
    document = call(FORECAST, athlete="anna")["document"]
    assert (document["evidence"], document["own_record"]) == ([], {})


def test_confidence_is_low_where_the_model_was_hardly_tested(aws: FakeAws) -> None:
    answer = predictions()
    answer["model"]["low_confidence"] = {"29-42": "too few test readings to check the bands"}
    aws.answers["sagemaker-runtime.invoke_endpoint"] = lambda _: {"Body": body(answer)}
    document = call(FORECAST, athlete="anna")["document"]
    assert document["confidence"] == "low"
    assert document["confidence_reason"] == "Days 29–42: too few test readings to check the bands."
    assert call(FORECAST, athlete="anna", days="28")["document"]["confidence"] == "normal"


@pytest.mark.parametrize("days", ["0", "43", "-1", "1.5", "seven", "", "1e1", "٣", "9" * 500])
def test_days_outside_1_to_42_are_refused(aws: FakeAws, days: str) -> None:
    document = problem(call(FORECAST, athlete="anna", days=days), 400)
    assert document["field"] == "days"
    assert len(document["detail"]) < 200


def test_a_second_request_costs_no_call(aws: FakeAws) -> None:
    call(FORECAST, athlete="anna")
    before = len(aws.calls)
    call(FORECAST, athlete="anna", days="3")
    assert len(aws.calls) == before


def test_a_new_model_is_asked_though_the_old_answer_is_kept(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    call(FORECAST, athlete="anna")
    newer = {"model_package_arn": "arn:new", "model_version": "m3", "dataset_version": "d3"}
    monkeypatch.setattr(deployment, "serving", lambda: newer)
    call(FORECAST, athlete="anna")
    assert aws.count("sagemaker-runtime.invoke_endpoint") == 2
    assert aws.count("sagemaker-featurestore-runtime.get_record") == 1


def test_a_new_record_is_asked_again(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    call(FORECAST, athlete="anna")
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(vo2max_last="51.0")}
    monkeypatch.setattr(forecast, "RECORD_AGE_S", 0)
    assert call(FORECAST, athlete="anna")["document"]["last_reading"]["vo2max"] == 51.0


def test_errors_are_not_kept(aws: FakeAws) -> None:
    well = aws.answers["sagemaker-runtime.invoke_endpoint"]
    aws.answers["sagemaker-runtime.invoke_endpoint"] = client_error("ServiceUnavailable")
    problem(call(FORECAST, athlete="anna"), 503)
    aws.answers["sagemaker-runtime.invoke_endpoint"] = well
    assert call(FORECAST, athlete="anna")["statusCode"] == 200


def test_a_key_reads_only_its_athletes(aws: FakeAws) -> None:
    assert call("/athletes", key="all")["document"] == {"athletes": ["anna", "ben"]}
    assert call("/athletes", key="annas")["document"] == {"athletes": ["anna"]}
    assert call(FORECAST, athlete="anna", key="annas")["statusCode"] == 200
    for resource in (FORECAST, HISTORY):
        problem(call(resource, athlete="ben", key="annas"), 403)
        problem(call(resource, athlete="nobody", key="annas"), 403)
    problem(call(FORECAST, "POST", athlete="ben", key="annas", text='{"weekly_load": [1]}'), 403)


@pytest.mark.parametrize("key", ["unknown", "", None])
@pytest.mark.parametrize("resource", ["/athletes", "/model", FORECAST, HISTORY])
def test_a_key_without_athletes_reads_nothing(aws: FakeAws, resource: str, key: str | None) -> None:
    assert "config/api-keys.json" in problem(call(resource, athlete="anna", key=key), 403)["detail"]


def test_an_unknown_athlete_is_404(aws: FakeAws) -> None:
    assert problem(call(FORECAST, athlete="../../config"), 404)["field"] == "id"


def test_an_athlete_without_a_record_is_404_and_says_what_to_do(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {}
    assert "garmin_ingest" in problem(call(FORECAST, athlete="ben"), 404)["detail"]


def test_an_athlete_without_a_reading_is_409_and_says_what_to_do(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(vo2max_last=None)}
    assert "outdoor run" in problem(call(FORECAST, athlete="anna"), 409)["detail"]


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (client_error("ValidationError", "Endpoint ff-vo2max of account 1 not found."), 503, "No model is served"),
        (client_error("ServiceUnavailable"), 503, "The endpoint is busy"),
        (client_error("ThrottlingException"), 503, "The endpoint is busy"),
        (client_error("ModelError", "ValueError: features: hrv_7d is infinite"), 502, "The model failed"),
        (EndpointConnectionError(endpoint_url="http://x"), 503, "The endpoint did not answer"),
        (client_error("AccessDeniedException", "secret inside"), 500, "The API failed"),
    ],
)
def test_a_failing_endpoint_is_told_in_plain_words(aws: FakeAws, error: Exception, status: int, title: str) -> None:
    aws.answers["sagemaker-runtime.invoke_endpoint"] = error
    answer = call(FORECAST, athlete="anna")
    document = problem(answer, status)
    assert document["title"] == title
    assert ("Retry-After" in answer["headers"]) == (status == 503)
    assert "secret" not in answer["body"]


@pytest.mark.parametrize(
    ("status", "title"),
    [("Creating", "The model is starting"), ("Failed", "No model is served"), (None, "No model is served")],
)
def test_without_a_served_model_the_forecast_is_503(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, status: str | None, title: str
) -> None:
    monkeypatch.setattr(deployment, "serving", lambda: None)
    if status:
        aws.answers["sagemaker.describe_endpoint"] = {"EndpointStatus": status}
    answer = call(FORECAST, athlete="anna")
    assert problem(answer, 503)["title"] == title
    assert int(answer["headers"]["Retry-After"]) > 0


def test_without_a_feature_group_the_forecast_is_503(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = client_error("ResourceNotFound")
    assert "ff-athlete-day-v1" in problem(call(FORECAST, athlete="anna"), 503)["detail"]


def test_any_other_failure_is_logged_and_says_nothing_of_the_inside(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    aws.answers["s3.get_object"] = RuntimeError("secret inside")
    answer = call("/athletes")
    problem(answer, 500)
    assert "secret" not in answer["body"]
    assert "secret inside" in caplog.text and "r-1" in caplog.text


def test_what_if_is_off_and_says_why(aws: FakeAws) -> None:
    document = problem(call(FORECAST, "POST", athlete="anna", text='{"weekly_load": [300, 320.5]}'), 409)
    assert document["title"] == "what-if is off"
    assert "it proved no gain" in document["detail"]


def _planned(request: dict[str, Any]) -> Any:
    """An endpoint whose what-if proved itself; a plan is worth 0.1 ml/kg/min for each 100 of its first week."""
    (instance,) = json.loads(request["Body"])["instances"]
    answer = predictions() | {"model": {"version": "m2", "dataset_version": "d2"}}
    answer["model"]["what_if"] = {"enabled": True, "reason": "an association, not an effect of training"}
    if plan := instance["weekly_load"]:
        for day in answer["predictions"][0]:
            day["difference"] = {"expected": plan[0] / 1000, "low_90": 0.0, "high_90": plan[0] / 500}
    return {"Body": body(answer)}


def test_a_what_if_that_proved_itself_tells_the_difference_of_each_day(aws: FakeAws) -> None:
    aws.answers["sagemaker-runtime.invoke_endpoint"] = _planned
    answer = call(FORECAST, "POST", athlete="anna", text='{"weekly_load": [120, 110]}')["document"]
    assert [day["difference"]["expected"] for day in answer["days"]] == [0.12] * 42
    assert answer["what_if"] == {"enabled": True, "reason": "an association, not an effect of training"}
    assert "difference" not in call(FORECAST, athlete="anna")["document"]["days"][0], "as usual is kept apart"


def test_a_week_beyond_the_athletes_past_is_refused(aws: FakeAws) -> None:
    """The highest seven days hold one session of 100: at most 130."""
    aws.answers["sagemaker-runtime.invoke_endpoint"] = _planned
    found = problem(call(FORECAST, "POST", athlete="anna", text='{"weekly_load": [100, 131]}'), 400)
    assert found["field"] == "weekly_load"
    assert "at most 130" in found["detail"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (None, "body"),
        ("{", "body"),
        ("[]", "weekly_load"),
        ("{}", "weekly_load"),
        ('{"weekly_load": []}', "weekly_load"),
        ('{"weekly_load": [1, 2, 3, 4, 5, 6, 7]}', "weekly_load"),
        ('{"weekly_load": [-1]}', "weekly_load"),
        ('{"weekly_load": [NaN]}', "weekly_load"),
        ('{"weekly_load": [true]}', "weekly_load"),
        ('{"weekly_load": ["300"]}', "weekly_load"),
        ('{"weekly_load": [1], "sport": "running"}', "sport"),
    ],
)
def test_a_bad_what_if_names_its_field(aws: FakeAws, text: str | None, field: str) -> None:
    assert problem(call(FORECAST, "POST", athlete="anna", text=text), 400)["field"] == field


def test_history_is_cut_to_its_days(aws: FakeAws) -> None:
    whole = call(HISTORY, athlete="anna")["document"]
    assert [r["day"] for r in whole["readings"]] == ["2026-11-01", "2026-11-10", "2026-11-20"]
    cut = call(HISTORY, athlete="anna", **{"from": "2026-11-02", "to": "2026-11-10"})["document"]
    assert [r["day"] for r in cut["readings"]] == [r["day"] for r in cut["load"]] == ["2026-11-10"]
    assert call(HISTORY, athlete="anna")["document"] == whole, "what is kept was not cut"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
    ],
)
def test_bad_days_of_history_are_named(aws: FakeAws, query: dict[str, str], field: str) -> None:
    assert problem(call(HISTORY, athlete="anna", **query), 400)["field"] == field


def test_an_athlete_without_history_is_404(aws: FakeAws) -> None:
    problem(call(HISTORY, athlete="ben"), 404)


def test_model_says_what_serves_and_how_good_it_is(aws: FakeAws) -> None:
    document = call("/model")["document"]
    assert document["model_version"] == "m1"
    assert document["served_by"] == {"1-7": "persistence"}
    assert document["metrics"] == {"1-7": {"crps": 0.2}}


def test_model_reads_no_report_of_another_bucket(aws: FakeAws) -> None:
    aws.answers["sagemaker.describe_model_package"] = {
        "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://elsewhere/reports/evaluation.json"}}}
    }
    assert call("/model")["document"]["metrics"] is None


def test_model_without_an_endpoint_is_503(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "serving", lambda: None)
    problem(call("/model"), 503)


@pytest.mark.parametrize(
    ("served", "status", "said"),
    [(True, None, "serving"), (False, "Creating", "starting"), (False, "Failed", "failed"), (False, None, "stopped")],
)
def test_health_needs_no_key(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, served: bool, status: str | None, said: str
) -> None:
    if not served:
        monkeypatch.setattr(deployment, "serving", lambda: None)
    if status:
        aws.answers["sagemaker.describe_endpoint"] = {"EndpointStatus": status}
    assert call("/health", key=None)["document"] == {"status": "ok", "endpoint": said}


def test_a_new_key_and_a_new_athlete_are_seen_before_the_cache_grows_old(aws: FakeAws) -> None:
    problem(call("/athletes", key="new"), 403)
    deployment.cache._clock = lambda: __import__("time").monotonic() + deployment.RELOAD_AGE_S + 1
    try:
        before = aws.count("s3.get_object")
        problem(call("/athletes", key="new"), 403)
        assert aws.count("s3.get_object") == before + 1
    finally:
        deployment.cache._clock = __import__("time").monotonic


def test_an_unknown_route_is_404(aws: FakeAws) -> None:
    problem(call("/nope"), 404)


def test_the_page_is_one_file_under_a_strict_policy(aws: FakeAws) -> None:
    answer = call("/")
    policy = answer["headers"]["Content-Security-Policy"]
    assert answer["statusCode"] == 200
    assert answer["body"].startswith("<!doctype html>")
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert "/*STYLE*/" not in answer["body"] and "/*SCRIPT*/" not in answer["body"]
    assert not any(word in answer["body"] for word in ('src="', "@import", "url(")), "nothing is loaded from elsewhere"
    again = api.handler(
        {"resource": "/", "httpMethod": "GET", "headers": {"If-None-Match": answer["headers"]["ETag"]}}, None
    )
    assert (again["statusCode"], again["body"]) == (304, "")


def test_every_route_of_the_specification_is_answered_and_no_other() -> None:
    from include.deploy.release import specification

    methods = ("get", "post", "put", "delete", "patch")
    specified = {(m.upper(), path) for path, item in specification()["paths"].items() for m in item if m in methods}
    assert specified == set(api.ROUTES)
