"""The serving stack on local AWS, with what is off by default turned on, and its limits at work."""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from email.message import Message
from typing import Any

import pytest

from include.deploy import project
from include.deploy.stack import StackFailed, delete_stack, find_stack
from include.settings import Settings
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(120)
SETTINGS = Settings(project="options-test", account_id="123456789012")
OPTIONS = {
    "AccessLog": "true",
    "TracingEnabled": "true",
    "AlarmEmail": "coach@example.org",
    "StartSchedule": "cron(0 5 * * ? *)",
    "StopSchedule": "cron(0 22 * * ? *)",
    "DailyQuota": "3",
    "LogRetentionDays": "7",
}


@pytest.fixture(scope="module")
def released(localaws: LocalAws) -> LocalAws:
    for name in ("access", "data", "features", "ml"):
        project.deploy(localaws.client, SETTINGS, name)
    project.release(localaws.client, SETTINGS)
    return localaws


@pytest.fixture(scope="module")
def outputs(released: LocalAws) -> dict[str, str]:
    return project.deploy(released.client, SETTINGS, "serving").outputs


def get(localaws: LocalAws, outputs: dict[str, str], path: str, **headers: str) -> tuple[int, Message, Any]:
    root = f"{localaws.url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
    request = urllib.request.Request(root + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def account_wide_logs_role(localaws: LocalAws) -> str:
    """The ARN of the role with which an account lets API Gateway write logs; an administrator makes it once."""
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    write = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    iam, name = localaws.client("iam"), "account-wide"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="write-logs", PolicyDocument=policy(write))
    return arn


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_caller_without_a_key_is_throttled_too(released: LocalAws, outputs: dict[str, str]) -> None:
    answers = [get(released, outputs, "/health") for _ in range(120)]
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 40, "the burst"
    _, headers, problem = next(answer for answer in answers if answer[0] == 429)
    assert (problem["title"], headers["Retry-After"]) == ("Too many requests", "1")


def test_the_settings_lift_the_limits(released: LocalAws, outputs: dict[str, str]) -> None:
    limits = {"api_stage_rate_limit": 10_000, "api_stage_burst_limit": 5_000}
    project.deploy(released.client, SETTINGS.model_copy(update=limits), "serving")
    assert {get(released, outputs, "/health")[0] for _ in range(120)} == {200}


def test_an_access_log_is_refused_in_an_account_without_the_role_for_it(
    released: LocalAws, outputs: dict[str, str]
) -> None:
    with pytest.raises(StackFailed, match=r"Stage .*CloudWatch Logs role ARN must be set in account settings"):
        project.deploy(released.client, SETTINGS, "serving", overrides={"AccessLog": "true"})
    assert find_stack(released.client("cloudformation"), SETTINGS.stack("serving"))["StackStatus"] == (  # type: ignore[index]
        "UPDATE_ROLLBACK_COMPLETE"
    )
    assert get(released, outputs, "/health")[0] == 200


def test_every_option_can_be_turned_on(released: LocalAws, outputs: dict[str, str]) -> None:
    role, gateway = account_wide_logs_role(released), released.client("apigateway")
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])
    project.deploy(released.client, SETTINGS, "serving", overrides=OPTIONS)

    stage = gateway.get_stage(restApiId=outputs["ApiId"], stageName=outputs["StageName"])
    assert stage["tracingEnabled"] is True
    key = gateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    statuses = [get(released, outputs, "/athletes/anna/history", **{"x-api-key": key})[0] for _ in range(4)]
    assert statuses == [404, 404, 404, 429], "the day's quota"

    topic = "arn:aws:sns:us-east-1:123456789012:options-test-alarms"
    (subscription,) = released.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "coach@example.org")
    alarms = released.client("cloudwatch").describe_alarms(AlarmNamePrefix="options-test-")["MetricAlarms"]
    assert len(alarms) == 3 and all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    rules = released.client("events").list_rules(NamePrefix="options-test-")["Rules"]
    assert len(rules) == 5
    groups = released.client("logs").describe_log_groups()["logGroups"]
    ours = {g["logGroupName"]: g["retentionInDays"] for g in groups if "options-test" in g["logGroupName"]}
    lambdas = {f"/aws/lambda/options-test-{name}" for name in ("api", "start", "stop")}
    assert ours == dict.fromkeys({"/aws/apigateway/options-test", *lambdas}, 7)


def test_the_access_log_has_every_request_and_no_athlete(released: LocalAws, outputs: dict[str, str]) -> None:
    """Of the four requests above."""
    logs, deadline = released.client("logs"), time.monotonic() + 5
    while len(events := logs.filter_log_events(logGroupName="/aws/apigateway/options-test")["events"]) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    lines = [json.loads(event["message"]) for event in events]
    assert {line["resource"] for line in lines} == {"/athletes/{id}/history"}
    assert [line["status"] for line in lines] == ["404", "404", "404", "429"]
    assert {line["key_id"] for line in lines[:3]} == {outputs["ApiKeyId"]}
    assert lines[3]["error"] == "QUOTA_EXCEEDED"
    assert "anna" not in json.dumps(events)


def test_nothing_is_left_of_it(released: LocalAws, outputs: dict[str, str]) -> None:
    delete_stack(released.client("cloudformation"), SETTINGS.stack("serving"))
    groups = released.client("logs").describe_log_groups()["logGroups"]
    assert not [g for g in groups if "options-test" in g["logGroupName"] and "/sagemaker/" not in g["logGroupName"]]
    assert not [t for t in released.client("sns").list_topics()["Topics"] if "options-test" in t["TopicArn"]]
    assert not [r for r in released.client("apigateway").get_rest_apis()["items"] if r["id"] == outputs["ApiId"]]
