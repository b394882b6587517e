"""Lambda against the real server: zips made here, invoked by boto3."""

import base64
import io
import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LAMBDA, LocalAws

HANDLER = """
import logging, os, subprocess, sys, time
import boto3
print("loaded")
calls = 0

def handler(event, context):
    global calls
    calls += 1
    print("hello", event.get("name"))
    logging.getLogger().warning("careful")
    if "sleep_s" in event:
        time.sleep(event["sleep_s"])
    if "spin" in event:
        while True:
            pass
    if "raise" in event:
        raise ValueError(event["raise"])
    if "allocate_mb" in event:
        block = bytearray(event["allocate_mb"] << 20)
    if "exit" in event:
        os._exit(event["exit"])
    if "answer_bytes" in event:
        return "x" * event["answer_bytes"]
    if "unserialisable" in event:
        return {1, 2}
    if "bucket" in event:
        boto3.client("s3").put_object(Bucket=event["bucket"], Key="from-lambda", Body=b"1")
    return {
        "event": event, "calls": calls, "pid": os.getpid(), "environment": dict(os.environ),
        "request_id": context.aws_request_id, "name": context.function_name, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "left_ms": context.get_remaining_time_in_millis(),
    }
"""


def zipped(source: str = HANDLER, name: str = "app.py") -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, source)
    return data.getvalue()


@pytest.fixture(scope="module")
def role(localaws: LocalAws) -> str:
    return localaws.make_role("lambda", LAMBDA)


@pytest.fixture(scope="module")
def create(localaws: LocalAws, role: str) -> Any:
    def make(name: str, code: bytes | None = None, **settings: Any) -> str:
        given = {"Runtime": "python3.12", "Handler": "app.handler", "Timeout": 20, "MemorySize": 256, **settings}
        made = localaws.client("lambda").create_function(
            FunctionName=name, Role=role, Code={"ZipFile": zipped() if code is None else code}, **given
        )
        return str(made["FunctionArn"])

    return make


@pytest.fixture(scope="module")
def echo(create: Any) -> str:
    create("echo", Environment={"Variables": {"COLOUR": "blue"}})
    return "echo"


def invoke(localaws: LocalAws, name: str, event: Any = None, **settings: Any) -> tuple[dict[str, Any], Any]:
    answer = localaws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **settings)
    return answer, json.loads(answer["Payload"].read() or b"null")


def log_messages(localaws: LocalAws, name: str, expected: str) -> list[str]:
    """All lines of a function, as soon as one holds `expected`."""
    logs = localaws.client("logs")
    for _ in range(100):
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except ClientError:
            events = []
        messages = [e["message"] for e in events]
        if any(expected in m for m in messages):
            return messages
        time.sleep(0.05)
    raise AssertionError(f"{expected!r} was never logged")


def test_a_handler_gets_event_and_context_in_a_warm_process(localaws: LocalAws, echo: str) -> None:
    _, first = invoke(localaws, echo, {"name": "Ann"})
    answer, second = invoke(localaws, echo, {"name": "Bob"})
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    assert answer["ExecutedVersion"] == "$LATEST"
    assert second["event"] == {"name": "Bob"}
    assert (second["pid"], second["calls"]) == (first["pid"], first["calls"] + 1)
    assert second["name"] == "echo" and second["memory"] == "256"
    assert second["arn"].endswith(":function:echo")
    assert 0 < second["left_ms"] <= 20_000
    assert first["request_id"] != second["request_id"]


def test_the_environment_is_lambdas_and_nothing_else(localaws: LocalAws, echo: str) -> None:
    environment = invoke(localaws, echo)[1]["environment"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_ENDPOINT_URL"] == localaws.url
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "echo"
    assert environment["HOME"] != os.environ["HOME"]
    foreign = set(environment) & set(os.environ) - {"PATH", "LANG", "HOME", "TZ", "TMPDIR", "LC_CTYPE", "PYTHONUTF8"}
    assert {name for name in foreign if not name.startswith("AWS_")} == set()


def test_the_sdk_in_a_function_reaches_local_aws(localaws: LocalAws, echo: str) -> None:
    s3 = localaws.client("s3")
    s3.create_bucket(Bucket="for-lambda")
    assert "FunctionError" not in invoke(localaws, echo, {"bucket": "for-lambda"})[0]
    assert s3.get_object(Bucket="for-lambda", Key="from-lambda")["Body"].read() == b"1"


def test_an_exception_answers_its_type_message_and_trace(localaws: LocalAws, echo: str) -> None:
    answer, payload = invoke(localaws, echo, {"raise": "no such athlete"})
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no such athlete")
    assert "in handler" in payload["stackTrace"][-1]
    assert payload["requestId"]


def test_an_answer_that_is_no_json_is_a_marshal_error(localaws: LocalAws, echo: str) -> None:
    answer, payload = invoke(localaws, echo, {"unserialisable": True})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.MarshalError"


def test_what_is_printed_and_logged_is_in_cloudwatch_and_in_the_tail(localaws: LocalAws, echo: str) -> None:
    answer, payload = invoke(localaws, echo, {"name": "Zoe"}, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    request_id = payload["request_id"]
    for part in (
        f"START RequestId: {request_id} Version: $LATEST",
        "hello Zoe",
        "[WARNING]",
        f"END RequestId: {request_id}",
    ):
        assert part in tail
    assert "Memory Size: 256 MB" in tail.splitlines()[-1]
    messages = log_messages(localaws, echo, f"REPORT RequestId: {request_id}")
    assert "hello Zoe" in messages
    stream = localaws.client("logs").describe_log_streams(logGroupName="/aws/lambda/echo")["logStreams"][0]
    assert "[$LATEST]" in stream["logStreamName"]


@pytest.mark.parametrize("event", [{"sleep_s": 30}, {"spin": True}])
def test_a_timeout_ends_the_worker(localaws: LocalAws, create: Any, event: dict[str, Any]) -> None:
    name = f"slow-{next(iter(event)).replace('_', '-')}"
    create(name, Timeout=1)
    pid = invoke(localaws, name)[1]["pid"]
    started = time.monotonic()
    answer, payload = invoke(localaws, name, event, LogType="Tail")
    assert time.monotonic() - started < 3
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in payload["errorMessage"]
    assert "Task timed out after 1.00 seconds" in base64.b64decode(answer["LogResult"]).decode()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert invoke(localaws, name)[1]["calls"] == 1


def test_too_much_memory_kills_the_worker(localaws: LocalAws, create: Any) -> None:
    create("greedy", MemorySize=256)
    assert "FunctionError" not in invoke(localaws, "greedy", {"allocate_mb": 50})[0]
    answer, payload = invoke(localaws, "greedy", {"allocate_mb": 600})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "FunctionError" not in invoke(localaws, "greedy")[0]


def test_a_handler_that_ends_its_process_is_reported(localaws: LocalAws, echo: str) -> None:
    _, payload = invoke(localaws, echo, {"exit": 3})
    assert payload["errorMessage"].endswith("Runtime exited with error: exit status 3")


@pytest.mark.parametrize(
    ("settings", "code", "error"),
    [
        ({"Handler": "nothere.handler"}, None, "Runtime.ImportModuleError"),
        ({"Handler": "app.nothere"}, None, "Runtime.HandlerNotFound"),
        ({"Handler": "nothing"}, None, "Runtime.MalformedHandlerName"),
        ({}, zipped("def handler(:"), "Runtime.UserCodeSyntaxError"),
        ({}, zipped("import not_a_module_there_is"), "Runtime.ImportModuleError"),
        ({}, zipped("raise KeyError('at import')"), "KeyError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_says_why(
    localaws: LocalAws, create: Any, settings: dict[str, str], code: bytes | None, error: str, request: Any
) -> None:
    name = f"unloadable-{request.node.callspec.indices['error']}"
    create(name, code, **settings)
    for _ in range(2):
        answer, payload = invoke(localaws, name)
        assert answer["FunctionError"] == "Unhandled"
        assert payload["errorType"] == error


def bad_zip(entry: zipfile.ZipInfo | str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(entry, "x")
    return data.getvalue()


def symbolic_link() -> zipfile.ZipInfo:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    return link


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (b"no zip", "Could not unzip"),
        (bad_zip("../outside.py"), "outside of its folder"),
        (bad_zip("/etc/outside.py"), "outside of its folder"),
        (bad_zip(symbolic_link()), "symbolic link"),
    ],
)
def test_a_package_that_is_none_is_refused(create: Any, code: bytes, words: str) -> None:
    with pytest.raises(ClientError, match=words) as refused:
        create("never", code)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "settings",
    [{"Runtime": "nodejs22.x"}, {"Runtime": "python3.9"}, {"Environment": {"Variables": {"AWS_REGION": "x"}}}],
)
def test_what_could_not_run_is_refused_at_creation(create: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        create("never", **settings)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_payload_limits(localaws: LocalAws, echo: str) -> None:
    client = localaws.client("lambda")
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName=echo, Payload=json.dumps("x" * 6_291_456))
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    _, payload = invoke(localaws, echo, {"answer_bytes": 6_291_600})
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    answer, payload = invoke(localaws, echo, {"answer_bytes": 6_200_000})
    assert "FunctionError" not in answer and len(payload) == 6_200_000


def test_refused_invocations(localaws: LocalAws, echo: str) -> None:
    client = localaws.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=echo, Payload=b"{no json")
    assert client.invoke(FunctionName=echo, InvocationType="DryRun")["StatusCode"] == 204


def test_new_code_and_configuration_retire_the_old_workers(localaws: LocalAws, create: Any) -> None:
    client = localaws.client("lambda")
    create("changing", zipped("def handler(e, c): return 1"))
    assert invoke(localaws, "changing")[1] == 1
    client.update_function_code(FunctionName="changing", ZipFile=zipped("def handler(e, c): return 2"))
    assert invoke(localaws, "changing")[1] == 2
    version = client.publish_version(FunctionName="changing")["Version"]
    client.create_alias(FunctionName="changing", Name="live", FunctionVersion=version)
    client.update_function_code(
        FunctionName="changing", ZipFile=zipped("import os\ndef handler(e, c): return os.environ.get('X')")
    )
    client.update_function_configuration(FunctionName="changing", Environment={"Variables": {"X": "3"}})
    assert invoke(localaws, "changing")[1] == "3"
    assert invoke(localaws, "changing", Qualifier="live")[1] == 2
    assert invoke(localaws, f"changing:{version}")[1] == 2
    with pytest.raises(ClientError):
        client.update_function_code(FunctionName="changing", ZipFile=b"no zip")
    assert invoke(localaws, "changing")[1] == "3"


def test_concurrent_invocations_get_workers_of_their_own_but_not_without_end(localaws: LocalAws, create: Any) -> None:
    create("wide")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: invoke(localaws, "wide", {"sleep_s": 1.0})[1], range(8)))
    pids = {a["pid"] for a in answers}
    assert 2 <= len(pids) <= 4


def test_deleting_a_function_ends_its_workers(localaws: LocalAws, create: Any) -> None:
    create("short-lived")
    pid = invoke(localaws, "short-lived")[1]["pid"]
    localaws.client("lambda").delete_function(FunctionName="short-lived")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ClientError, match="Function not found"):
        invoke(localaws, "short-lived")


def test_events_are_tried_three_times_and_then_go_to_their_destination(localaws: LocalAws, create: Any) -> None:
    sqs = localaws.client("sqs")
    queue = sqs.create_queue(QueueName="failed")["QueueUrl"]
    create("failing", zipped("def handler(e, c):\n    print('tried')\n    raise RuntimeError('never')"))
    client = localaws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="failing",
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}},
    )
    answer = client.invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202 and answer["Payload"].read() == b""
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15).get("Messages", [])
    record = json.loads(received[0]["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorType"] == "RuntimeError"
    assert log_messages(localaws, "failing", "tried").count("tried") == 3


def test_sns_runs_a_subscribed_function(localaws: LocalAws, create: Any) -> None:
    sns = localaws.client("sns")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    arn = create("on-alarm", zipped("def handler(e, c): print('got', e['Records'][0]['Sns']['Message'])"))
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="drift")
    assert "got drift" in log_messages(localaws, "on-alarm", "got")


def test_functions_run_again_after_a_restart_and_no_worker_is_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = LocalAws(tmp_path_factory.mktemp("restarted"))
    server.start()
    try:
        made = server.make_role("r", LAMBDA)
        server.client("lambda").create_function(
            FunctionName="kept", Role=made, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": zipped()},
            MemorySize=256, Timeout=20,
        )  # fmt: skip
        first = invoke(server, "kept")[1]["pid"]
        server.stop()
        _wait_until_gone(first)
        server.start()
        second = invoke(server, "kept")[1]["pid"]
        server.kill()
        _wait_until_gone(second)
    finally:
        server.kill()


def test_an_event_under_way_does_not_hold_the_end_of_the_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = LocalAws(tmp_path_factory.mktemp("ending"))
    server.start()
    try:
        made = server.make_role("r", LAMBDA)
        client = server.client("lambda")
        client.create_function(
            FunctionName="slow", Role=made, Runtime="python3.12", Handler="app.handler", Timeout=60,
            Code={"ZipFile": zipped("import time\ndef handler(event, context):\n    time.sleep(50)\n")},
        )  # fmt: skip
        for _ in range(8):
            client.invoke(FunctionName="slow", InvocationType="Event", Payload=b"{}")
        time.sleep(3)  # until they run
        server.stop()  # which waits 15 s
        assert server.process is not None
        assert server.process.returncode == 0
    finally:
        server.kill()


def _wait_until_gone(pid: int, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"the worker {pid} outlived a killed server")
