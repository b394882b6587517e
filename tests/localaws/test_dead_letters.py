"""Events that a function fails for good, on the queue of its DeadLetterConfig."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LAMBDA, LOG_GRANTS, LocalAws, allow
from tests.localaws.sagemaker_requests import wait_until

pytestmark = pytest.mark.timeout(60)
FAILING = "def handler(event, context):\n    print('tried')\n    raise RuntimeError('never')\n"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:undelivered"
MAY_SEND = (*LOG_GRANTS, allow("sqs:SendMessage", QUEUE_ARN))


@pytest.fixture
def queue(localaws: LocalAws) -> Iterator[str]:
    """The URL of the queue, with nothing on it."""
    sqs = localaws.client("sqs")
    url = str(sqs.create_queue(QueueName="undelivered")["QueueUrl"])
    yield url
    sqs.delete_queue(QueueUrl=url)


def make_function(localaws: LocalAws, name: str, role: str, retries: int = 0, target: str = QUEUE_ARN) -> None:
    """A function that fails every event."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", FAILING)
    client = localaws.client("lambda")
    client.create_function(
        FunctionName=name, Role=role, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": data.getvalue()},
        MemorySize=256, Timeout=20, DeadLetterConfig={"TargetArn": target},
    )  # fmt: skip
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=retries)


def received(localaws: LocalAws, queue: str, seconds: int = 15) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        localaws.client("sqs")
        .receive_message(QueueUrl=queue, WaitTimeSeconds=seconds, MessageAttributeNames=["All"])
        .get("Messages", [])
    )
    return found


def tries(localaws: LocalAws, name: str) -> int:
    logs = localaws.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return 0
    return [event["message"] for event in events].count("tried")


def test_an_event_that_fails_for_good_is_put_on_the_queue_with_what_was_wrong(localaws: LocalAws, queue: str) -> None:
    make_function(localaws, "buried", localaws.make_role("buries", LAMBDA, *MAY_SEND), retries=1)
    client = localaws.client("lambda")
    assert client.get_function_configuration(FunctionName="buried")["DeadLetterConfig"] == {"TargetArn": QUEUE_ARN}
    client.invoke(FunctionName="buried", InvocationType="Event", Payload=b'{"package": 7}')
    messages = received(localaws, queue)
    assert [json.loads(message["Body"]) for message in messages] == [{"package": 7}]
    attributes = messages[0]["MessageAttributes"]
    assert attributes["RequestID"]["StringValue"].count("-") == 4
    assert (attributes["ErrorCode"]["DataType"], attributes["ErrorCode"]["StringValue"]) == ("Number", "200")
    assert attributes["ErrorMessage"]["StringValue"] == "never"
    wait_until(lambda: tries(localaws, "buried") == 2)


def test_an_answer_to_a_caller_who_waits_is_no_dead_letter(localaws: LocalAws, queue: str) -> None:
    make_function(localaws, "answered", localaws.make_role("buries", LAMBDA, *MAY_SEND))
    localaws.client("lambda").invoke(FunctionName="answered", Payload=b"{}")
    assert received(localaws, queue, seconds=1) == []


def test_a_queue_that_the_role_may_not_write_to_is_refused(localaws: LocalAws) -> None:
    with pytest.raises(ClientError, match="does not have permissions to call SendMessage on SQS") as caught:
        make_function(localaws, "refused", localaws.make_role("only-logs", LAMBDA, *LOG_GRANTS))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError, match="Function not found"):
        localaws.client("lambda").get_function(FunctionName="refused")


def test_a_role_that_lost_the_right_to_send_loses_the_dead_letter(localaws: LocalAws, queue: str) -> None:
    make_function(localaws, "forbidden", localaws.make_role("forbidden", LAMBDA, *MAY_SEND))
    localaws.make_role("forbidden", LAMBDA, *LOG_GRANTS)
    localaws.client("lambda").invoke(FunctionName="forbidden", InvocationType="Event", Payload=b"{}")
    wait_until(lambda: tries(localaws, "forbidden") == 1)
    time.sleep(0.2)
    assert received(localaws, queue, seconds=1) == []


def test_a_target_that_is_no_queue_is_refused(localaws: LocalAws) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:alarms"
    with pytest.raises(ClientError, match="sends dead letters to SQS queues"):
        make_function(localaws, "topic", localaws.make_role("buries", LAMBDA, *MAY_SEND), target=topic)


def test_an_empty_target_ends_dead_letters(localaws: LocalAws) -> None:
    make_function(localaws, "ended", localaws.make_role("buries", LAMBDA, *MAY_SEND))
    client = localaws.client("lambda")
    client.update_function_configuration(FunctionName="ended", Timeout=10)
    assert "DeadLetterConfig" in client.get_function_configuration(FunctionName="ended")
    client.update_function_configuration(FunctionName="ended", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in client.get_function_configuration(FunctionName="ended")
