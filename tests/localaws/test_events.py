"""EventBridge against the real server: rules, targets, schedules."""

import io
import json
import time
import urllib.request
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LAMBDA, LOG_GRANTS, LocalAws, allow

ACCOUNT = "123456789012"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@pytest.fixture(scope="module")
def events(localaws: LocalAws) -> Any:
    return localaws.client("events")


class Queue:
    """A queue that targets send to."""

    def __init__(self, localaws: LocalAws, name: str) -> None:
        self.sqs = localaws.client("sqs")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = queue_arn(name)

    def receive(self, wait_s: int = 5) -> dict[str, Any]:
        messages = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=wait_s, MessageAttributeNames=["All"])
        assert messages.get("Messages"), "nothing came"
        message: dict[str, Any] = messages["Messages"][0]
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return message

    def event(self, wait_s: int = 5) -> Any:
        return json.loads(self.receive(wait_s)["Body"])

    def assert_empty(self) -> None:
        time.sleep(0.3)
        assert "Messages" not in self.sqs.receive_message(QueueUrl=self.url)


@pytest.fixture
def queue(localaws: LocalAws, request: pytest.FixtureRequest) -> Queue:
    return Queue(localaws, request.node.name[:70].replace("[", "-").replace("]", ""))


def make_rule(events: Any, name: str, target: dict[str, Any], **rule: Any) -> str:
    if not rule:
        rule = {"EventPattern": json.dumps({"source": [name]})}
    arn = str(events.put_rule(Name=name, **rule)["RuleArn"])
    events.put_targets(Rule=name, Targets=[{"Id": "one", **target}])
    return arn


def put(events: Any, source: str, detail: Any = None, **more: Any) -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail or {}), **more}
    answer: dict[str, Any] = events.put_events(Entries=[entry])
    return answer


def make_function(localaws: LocalAws, name: str, source: str, *, permit: str | None = None) -> str:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", source)
    role = localaws.make_role("events", LAMBDA, *LOG_GRANTS, allow(["sqs:GetQueueUrl", "sqs:SendMessage"]))
    client = localaws.client("lambda")
    arn = client.create_function(
        FunctionName=name, Role=role, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": data.getvalue()},
        Environment={"Variables": {"MARK": name}}, MemorySize=256, Timeout=20,
    )["FunctionArn"]  # fmt: skip
    if permit:
        client.add_permission(
            FunctionName=name, StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
            SourceArn=permit,
        )  # fmt: skip
    return str(arn)


TO_QUEUE = """
import boto3, json, os
def handler(event, context):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=os.environ["MARK"])["QueueUrl"], MessageBody=json.dumps(event))
"""


def test_a_matching_event_reaches_a_queue_in_the_whole_envelope(events: Any, queue: Queue) -> None:
    make_rule(
        events,
        "envelope",
        {"Arn": queue.arn},
        EventPattern='{"source": ["my.app"], "detail": {"n": [{"numeric": [">", 3]}]}}',
    )
    put(events, "my.app", {"n": 1})
    event_id = put(events, "my.app", {"n": 4}, Resources=["arn:a"])["Entries"][0]["EventId"]
    event = queue.event()
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0", "id": event_id, "detail-type": "Test", "source": "my.app", "account": ACCOUNT,
        "region": "us-east-1", "resources": ["arn:a"], "detail": {"n": 4},
    }  # fmt: skip
    queue.assert_empty()


def test_a_function_is_invoked_only_with_a_permission(localaws: LocalAws, events: Any) -> None:
    dead = Queue(localaws, "dead")
    permitted, refused = Queue(localaws, "permitted"), Queue(localaws, "refused")
    rule_arn = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/permitted"
    allowed = make_function(localaws, "permitted", TO_QUEUE, permit=rule_arn)
    denied = make_function(localaws, "refused", TO_QUEUE, permit=rule_arn.replace("rule/permitted", "rule/another"))
    assert make_rule(events, "permitted", {"Arn": allowed}) == rule_arn
    make_rule(events, "refused", {"Arn": denied, "DeadLetterConfig": {"Arn": dead.arn}})
    put(events, "permitted", {"x": 1})
    put(events, "refused", {"x": 2})
    assert permitted.event(15)["detail"] == {"x": 1}
    message = dead.receive()
    assert json.loads(message["Body"])["detail"] == {"x": 2}
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == denied
    refused.assert_empty()


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail"}, {"who": "Ann"}),
        (
            {"InputTransformer": {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": '{"hello": "<who>!"}'}},
            {"hello": "Ann!"},
        ),
    ],
)
def test_inputs(events: Any, queue: Queue, settings: dict[str, Any], body: Any) -> None:
    name = f"input-{next(iter(settings))}"
    make_rule(events, name, {"Arn": queue.arn, **settings})
    put(events, name, {"who": "Ann"})
    assert queue.event() == body


def test_topics_and_log_groups_are_targets_too(localaws: LocalAws, events: Any, queue: Queue) -> None:
    sns = localaws.client("sns")
    topic = sns.create_topic(Name="from-events")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    make_rule(events, "to-topic", {"Arn": topic})
    put(events, "to-topic", {"x": 1})
    assert json.loads(queue.event()["Message"])["detail"] == {"x": 1}
    logs = localaws.client("logs")
    logs.create_log_group(logGroupName="/aws/events/all")
    make_rule(events, "to-logs", {"Arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/events/all"})
    put(events, "to-logs", {"x": 2})
    for _ in range(60):
        found = logs.filter_log_events(logGroupName="/aws/events/all")["events"]
        if found:
            break
        time.sleep(0.05)
    assert json.loads(found[0]["message"])["detail"] == {"x": 2}


def test_nobody_sends_events_in_the_name_of_an_aws_service(events: Any, queue: Queue) -> None:
    make_rule(events, "spoofed", {"Arn": queue.arn}, EventPattern=json.dumps({"detail-type": ["Spoofed"]}))

    def entry(source: str) -> dict[str, str]:
        return {"Source": source, "DetailType": "Spoofed", "Detail": json.dumps({"from": source})}

    answer = events.put_events(Entries=[entry("aws.sagemaker"), entry("awsome"), entry("aws.x"), entry("mine")])
    refused = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    assert answer["FailedEntryCount"] == 2
    assert [answer["Entries"][0], answer["Entries"][2]] == [refused, refused]
    assert all("EventId" in answer["Entries"][number] for number in (1, 3))
    assert {queue.event()["source"], queue.event()["source"]} == {"awsome", "mine"}
    queue.assert_empty()


def test_disabled_rules_do_not_fire(events: Any, queue: Queue) -> None:
    make_rule(events, "switched", {"Arn": queue.arn})
    events.disable_rule(Name="switched")
    put(events, "switched", {"n": 1})
    queue.assert_empty()
    events.enable_rule(Name="switched")
    put(events, "switched", {"n": 2})
    assert queue.event()["detail"] == {"n": 2}


def test_publishing_does_not_wait_for_targets(localaws: LocalAws, events: Any) -> None:
    rule_arn = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/patient"
    arn = make_function(localaws, "patient", "import time\ndef handler(e, c): time.sleep(5)", permit=rule_arn)
    make_rule(events, "patient", {"Arn": arn})
    started = time.monotonic()
    put(events, "patient")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"EventPattern": '{"source": "x"}'}, "InvalidEventPatternException"),
        ({"EventPattern": '{"source": [{"like": "x"}]}'}, "InvalidEventPatternException"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException"),
        ({"ScheduleExpression": "cron(* * * * * *)"}, "ValidationException"),
    ],
)
def test_what_could_never_fire_is_refused(events: Any, rule: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        events.put_rule(Name="never", **rule)
    assert refused.value.response["Error"]["Code"] == code


def test_a_target_that_is_not_delivered_to_is_refused(events: Any) -> None:
    events.put_rule(Name="foreign", EventPattern='{"source": ["foreign"]}')
    with pytest.raises(ClientError, match="does not deliver"):
        events.put_targets(Rule="foreign", Targets=[{"Id": "1", "Arn": "arn:aws:kinesis:us-east-1:1:stream/s"}])


def test_patterns_can_be_tried_out(events: Any) -> None:
    event = {
        "id": "1",
        "source": "a",
        "account": "1",
        "time": "t",
        "region": "r",
        "resources": [],
        "detail-type": "d",
        "detail": {},
    }
    assert events.test_event_pattern(EventPattern='{"source": ["a"]}', Event=json.dumps(event))["Result"] is True
    assert events.test_event_pattern(EventPattern='{"source": ["b"]}', Event=json.dumps(event))["Result"] is False


def advance(localaws: LocalAws, seconds: float) -> None:
    request = urllib.request.Request(f"{localaws.url}/_localaws/clock", json.dumps({"advance_s": seconds}).encode())
    urllib.request.urlopen(request, timeout=5).read()


def test_schedules_fire_by_the_clock_and_go_on_after_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = LocalAws(tmp_path_factory.mktemp("schedules"))
    server.start()
    try:
        events, queue = server.client("events"), Queue(server, "ticks")
        arn = make_rule(events, "hourly", {"Arn": queue.arn}, ScheduleExpression="rate(1 hour)")
        make_rule(events, "daily", {"Arn": queue.arn}, ScheduleExpression="cron(0 5 * * ? *)", State="DISABLED")
        advance(server, 1800)
        queue.assert_empty()
        advance(server, 1801)
        event = queue.event()
        assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
        assert event["resources"] == [arn] and event["detail"] == {}
        events.enable_rule(Name="daily")
        events.disable_rule(Name="hourly")
        advance(server, 86_400)
        event = queue.event()
        assert event["time"].endswith("T05:00:00Z") and event["resources"][0].endswith("rule/daily")
        queue.assert_empty()
        server.stop()
        server.start()
        queue = Queue(server, "ticks")
        assert server.client("events").describe_rule(Name="daily")["State"] == "ENABLED"
        # The rule was enabled on a clock that ran ahead of the restarted one.
        advance(server, 2 * 86_400)
        assert queue.event()["resources"][0].endswith("rule/daily")
    finally:
        server.stop()
