"""The athlete's past goes to the endpoint once, and the record of it after that; nothing false or unusable goes."""

import json
from typing import Any

import pytest

from include.features import schema
from include.serving import deployment, forecast, own_record
from include.serving.cache import RecentCache
from tests.serving.conftest import (
    DOCUMENTS,
    ORIGINS_KEY,
    FakeAws,
    body,
    client_error,
    own_past_record,
    predictions,
    record,
)

ORIGINS: dict[str, Any] = DOCUMENTS[ORIGINS_KEY]


@pytest.fixture(autouse=True)
def no_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "RECORD_AGE_S", 0)


def sent(aws: FakeAws) -> dict[str, Any]:
    """The instance of the last request to the endpoint."""
    requests = [request for name, request in aws.calls if name == "sagemaker-runtime.invoke_endpoint"]
    (instance,) = json.loads(requests[-1]["Body"])["instances"]
    return dict(instance)


def with_origins(aws: FakeAws, document: Any) -> None:
    aws.answers["s3.get_object"] = {"Body": body(document)} if document else client_error("NoSuchKey")


def test_the_past_is_sent_once_and_its_record_after_that(aws: FakeAws) -> None:
    first = forecast.forecast("anna", 42)
    assert sent(aws)["history"] == ORIGINS
    assert "record" not in sent(aws)
    again = forecast.forecast("anna", 7)
    assert sent(aws)["record"] == own_past_record()
    assert "history" not in sent(aws)
    assert again["own_record"]["1-7"] == first["own_record"]["1-7"]
    reads = [request["Key"] for name, request in aws.calls if name == "s3.get_object"]
    assert reads.count(ORIGINS_KEY) == 1


def test_a_plan_is_asked_with_the_record_that_the_usual_forecast_brought(aws: FakeAws) -> None:
    forecast.forecast("anna", 42)
    forecast.forecast("anna", 42, (100.0,))
    assert (sent(aws)["weekly_load"], sent(aws)["record"]) == ([100.0], own_past_record())


def test_a_new_model_and_new_features_are_sent_the_past_again(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    forecast.forecast("anna", 42)
    newer = {"model_package_arn": "arn:new", "model_version": "m3", "dataset_version": "d3"}
    monkeypatch.setattr(deployment, "serving", lambda: newer)
    forecast.forecast("anna", 42)
    assert "history" in sent(aws)
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(vo2max_last="51.0")}
    forecast.forecast("anna", 42)
    assert "history" in sent(aws)


def test_days_after_those_of_the_features_are_not_sent(aws: FakeAws) -> None:
    aws.answers["sagemaker-featurestore-runtime.get_record"] = {"Record": record(event_time="2026-11-19T00:00:00Z")}
    forecast.forecast("anna", 42)
    assert sent(aws)["history"]["days"] == ["2026-11-01", "2026-11-10"]
    assert sent(aws)["history"]["rows"] == ORIGINS["rows"][:2]
    assert sent(aws)["history"]["sports"] == ["running"] * 2
    assert sent(aws)["history"]["as_of"] == "2026-11-19"


@pytest.mark.parametrize(
    "document",
    [
        None,
        ORIGINS | {"schema_version": schema.SCHEMA_VERSION - 1},
        ORIGINS | {"features": list(reversed(schema.NAMES))},
        ORIGINS | {"sports": ["running"]},
        ORIGINS | {"rows": []},
        {name: value for name, value in ORIGINS.items() if name != "sports"},
        {"days": 1},
        ["2026-11-01"],
    ],
)
def test_a_past_that_the_endpoint_could_not_use_is_not_sent_and_nothing_is_said_of_it(
    aws: FakeAws, document: Any
) -> None:
    with_origins(aws, document)
    answer = predictions() | {"records": [own_past_record(windows=0.0, gain=0.0)]}
    aws.answers["sagemaker-runtime.invoke_endpoint"] = lambda _: {"Body": body(answer)}
    found = forecast.forecast("anna", 42)
    assert not {"history", "record"} & set(sent(aws))
    assert found["own_record"] == {}
    assert found["evidence"][0]["sentence"] == "Evidence of 1-7."
    with_origins(aws, ORIGINS)
    forecast.forecast("anna", 42)
    assert "history" in sent(aws), "the blank record was not kept"


def test_a_past_that_is_too_large_for_a_request_is_logged_and_not_sent(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    size = len(json.dumps(ORIGINS))
    monkeypatch.setattr(own_record, "MOST_HISTORY_BYTES", size - 1)
    forecast.forecast("anna", 42)
    assert not {"history", "record"} & set(sent(aws))
    assert f"longer than {size - 1} bytes" in caplog.text
    monkeypatch.setattr(own_record, "MOST_HISTORY_BYTES", size)
    forecast.forecast("anna", 42)
    assert "history" in sent(aws)


def test_an_answer_without_records_leaves_the_past_to_be_sent_again(aws: FakeAws) -> None:
    answer = predictions()
    del answer["records"]
    aws.answers["sagemaker-runtime.invoke_endpoint"] = lambda _: {"Body": body(answer)}
    assert forecast.forecast("anna", 42)["own_record"] == {}
    forecast.forecast("anna", 42)
    assert "history" in sent(aws)


def test_the_record_that_was_not_asked_for_the_longest_goes_first() -> None:
    cache = RecentCache(2)
    cache.keep("a", 1)
    cache.keep("b", 2)
    assert cache.get("a") == 1
    cache.keep("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    cache.keep("a", 4)
    cache.keep("d", 5)
    assert (cache.get("a"), cache.get("c")) == (4, None)
