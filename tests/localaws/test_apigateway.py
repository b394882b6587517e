"""API Gateway against the real server: documents imported by boto3, requests by plain HTTP."""

import base64
import http.client
import io
import json
import time
import zipfile
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LAMBDA, LocalAws

HANDLER = """
import base64, json, os, time

def handler(event, context):
    path = event["path"]
    if path == "/raise":
        raise ValueError("no")
    if path == "/slow":
        time.sleep(3)
    if path == "/binary":
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"},
                "body": base64.b64encode(b"\\x89PNG").decode(), "isBase64Encoded": True}
    if path == "/cookies":
        return {"statusCode": "201", "headers": {"X-One": 1}, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
    if path.startswith("/answer/"):
        return json.loads(event["body"])
    return {"statusCode": 200, "body": json.dumps({"mark": os.environ["MARK"], "event": event})}
"""
ROUTES = (
    "/",
    "/raise",
    "/slow",
    "/binary",
    "/cookies",
    "/answer/{name}",
    "/athletes",
    "/athletes/{id}",
    "/files/{proxy+}",
)


def zipped(source: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", source)
    return data.getvalue()


def make_function(localaws: LocalAws, name: str, *, permitted: bool = True) -> str:
    client, role = localaws.client("lambda"), localaws.make_role("api", LAMBDA)
    arn = client.create_function(
        FunctionName=name, Role=role, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": zipped(HANDLER)},
        Environment={"Variables": {"MARK": name}}, MemorySize=256, Timeout=20,
    )["FunctionArn"]  # fmt: skip
    if permitted:
        client.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
            SourceArn="arn:aws:execute-api:us-east-1:123456789012:*/*/*/*",
        )  # fmt: skip
    return str(arn)


@pytest.fixture(scope="module")
def function_arn(localaws: LocalAws) -> str:
    return make_function(localaws, "api")


def integration(arn: str, **more: Any) -> dict[str, Any]:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    return {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri, **more}}


def document(arn: str, paths: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    if paths is None:
        paths = {route: {"x-amazon-apigateway-any-method": integration(arn)} for route in ROUTES}
    scheme = {"type": "apiKey", "in": "header", "name": "x-api-key"}
    components = {"securitySchemes": {"key": scheme}, **more.pop("components", {})}
    return {
        "openapi": "3.0.1",
        "info": {"title": "t", "version": "1"},
        "paths": paths,
        "components": components,
        **more,
    }


@dataclass
class Api:
    """A deployed API."""

    localaws: LocalAws
    id: str
    stage: str = "prod"
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, path: str, body: bytes | str | None = None, *, by_host: bool = False, **headers: str
    ) -> tuple[int, dict[str, Any], Any]:
        """Status, headers in lower case (a list for each) and the body, parsed where it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.localaws.port, timeout=20)
        given = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if by_host:
            given["Host"] = f"{self.id}.execute-api.localhost:{self.localaws.port}"
        prefix = f"/{self.stage}" if by_host else f"/restapis/{self.id}/{self.stage}/_user_request_"
        connection.request(method, prefix + path, body, given)
        answer = connection.getresponse()
        raw = answer.read()
        found: dict[str, list[str]] = {}
        for name, value in answer.getheaders():
            found.setdefault(name.lower(), []).append(value)
        try:
            parsed = json.loads(raw)
        except ValueError:
            parsed = raw
        connection.close()
        return answer.status, found, parsed


def deploy(localaws: LocalAws, body: dict[str, Any]) -> Api:
    client = localaws.client("apigateway")
    api_id = client.import_rest_api(body=json.dumps(body))["id"]
    client.create_deployment(restApiId=api_id, stageName="prod")
    return Api(localaws, api_id)


@pytest.fixture(scope="module")
def api(localaws: LocalAws, function_arn: str) -> Api:
    return deploy(localaws, document(function_arn, **{"x-amazon-apigateway-binary-media-types": ["image/png"]}))


def test_the_proxy_event_is_aws_s(localaws: LocalAws, api: Api) -> None:
    status, headers, answer = api.request("GET", "/athletes/an%20a?days=7&tag=x&tag=y", X_Thing="1", User_Agent="me")
    assert status == 200 and headers["content-type"] == ["application/json"]
    event = answer["event"]
    assert event["resource"] == "/athletes/{id}"
    assert event["path"] == "/athletes/an a"
    assert event["httpMethod"] == "GET"
    assert event["headers"]["X-Thing"] == "1" and event["multiValueHeaders"]["X-Thing"] == ["1"]
    assert event["queryStringParameters"] == {"days": "7", "tag": "y"}
    assert event["multiValueQueryStringParameters"] == {"days": ["7"], "tag": ["x", "y"]}
    assert event["pathParameters"] == {"id": "an a"}
    assert event["stageVariables"] is None and event["body"] is None and event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["resourcePath"]) == ("prod", api.id, "/athletes/{id}")
    assert context["requestId"] == headers["x-amzn-requestid"][0]
    assert context["identity"]["sourceIp"] == "127.0.0.1" and context["identity"]["userAgent"] == "me"
    assert context["identity"]["apiKey"] is None
    assert context["accountId"] == "123456789012" and context["protocol"] == "HTTP/1.1"


def test_both_addresses_lead_to_the_api(api: Api) -> None:
    assert api.request("GET", "/athletes/7", by_host=True)[2]["event"]["pathParameters"] == {"id": "7"}
    for path in ("", "/"):
        event = api.request("GET", path)[2]["event"]
        assert (event["resource"], event["path"]) == ("/", "/")
        assert event["queryStringParameters"] is None and event["pathParameters"] is None


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/athletes", "/athletes", None),
        ("/athletes/", "/athletes", None),
        ("/athletes/a%2Fb", "/athletes/{id}", {"id": "a/b"}),
        ("/files/a/b/c.csv", "/files/{proxy+}", {"proxy": "a/b/c.csv"}),
    ],
)
def test_path_templates(api: Api, path: str, resource: str, parameters: dict[str, str] | None) -> None:
    event = api.request("DELETE", path)[2]["event"]
    assert (event["resource"], event["pathParameters"]) == (resource, parameters)


@pytest.mark.parametrize("path", ["/nope", "/athletes/1/2", "/files"])
def test_an_unknown_route_misses_its_token(api: Api, path: str) -> None:
    status, headers, body = api.request("GET", path)
    assert (status, body) == (403, {"message": "Missing Authentication Token"})
    assert headers["x-amzn-errortype"] == ["MissingAuthenticationTokenException"]


def test_an_unknown_api_or_stage_is_forbidden(localaws: LocalAws, api: Api) -> None:
    assert Api(localaws, "abcdefghij").request("GET", "/")[::2] == (403, {"message": "Forbidden"})
    assert Api(localaws, api.id, "test").request("GET", "/")[::2] == (403, {"message": "Forbidden"})


def test_bodies_go_in_as_text_or_base64(api: Api) -> None:
    event = api.request("POST", "/athletes", "grüß".encode(), Content_Type="text/plain")[2]["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("grüß", False)
    event = api.request("POST", "/athletes", b"\x89PNG", Content_Type="image/png")[2]["event"]
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\x89PNG", True)
    assert api.request("POST", "/athletes", b"x" * (10 * 1024 * 1024 + 1))[0] == 413


def test_answers_may_be_binary_and_repeat_headers(api: Api) -> None:
    status, headers, body = api.request("GET", "/binary", Accept="image/png")
    assert (status, body, headers["content-type"]) == (200, b"\x89PNG", ["image/png"])
    assert api.request("GET", "/binary", Accept="text/html")[2] == base64.b64encode(b"\x89PNG")
    status, headers, body = api.request("GET", "/cookies")
    assert (status, headers["set-cookie"], headers["x-one"], body) == (201, ["a=1", "b=2"], ["1"], b"")


@pytest.mark.parametrize(
    "answer",
    [
        "text", [], {"message": "no status"}, {"statusCode": "ok"}, {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "extra": 1}, {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: b"}}, {"statusCode": 99},
    ],
)  # fmt: skip
def test_a_malformed_answer_is_a_502(api: Api, answer: Any) -> None:
    status, _, body = api.request("POST", "/answer/1", json.dumps(answer))
    assert (status, body) == (502, {"message": "Internal server error"})


def test_a_failing_function_is_a_502(api: Api) -> None:
    assert api.request("GET", "/raise")[::2] == (502, {"message": "Internal server error"})


def test_a_function_slower_than_the_integration_is_a_504(localaws: LocalAws, function_arn: str) -> None:
    slow = deploy(localaws, document(function_arn, {"/slow": {"get": integration(function_arn, timeoutInMillis=300)}}))
    started = time.monotonic()
    assert slow.request("GET", "/slow")[::2] == (504, {"message": "Endpoint request timed out"})
    assert time.monotonic() - started < 2


def test_without_a_permission_the_function_is_not_called(localaws: LocalAws) -> None:
    arn = make_function(localaws, "closed", permitted=False)
    assert deploy(localaws, document(arn)).request("GET", "/")[::2] == (500, {"message": "Internal server error"})


def with_key(localaws: LocalAws, api: Api, name: str, *, enabled: bool = True, **plan: Any) -> str:
    client = localaws.client("apigateway")
    key = client.create_api_key(name=name, enabled=enabled)
    made = client.create_usage_plan(name=name, apiStages=[{"apiId": api.id, "stage": "prod"}], **plan)
    client.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


@pytest.fixture(scope="module")
def guarded(localaws: LocalAws, function_arn: str) -> Api:
    operation = {"security": [{"key": []}], **integration(function_arn)}
    return deploy(localaws, document(function_arn, {"/athletes": {"get": operation}}))


def test_api_keys(localaws: LocalAws, guarded: Api) -> None:
    forbidden = (403, {"message": "Forbidden"})
    value = with_key(localaws, guarded, "good")
    status, _, body = guarded.request("GET", "/athletes", X_Api_Key=value)
    assert status == 200
    identity = body["event"]["requestContext"]["identity"]
    assert identity["apiKey"] == value and identity["apiKeyId"]
    client = localaws.client("apigateway")
    homeless = client.create_api_key(name="in no plan", enabled=True)["value"]
    disabled = with_key(localaws, guarded, "disabled", enabled=False)
    for wrong in ("", "wrong", homeless, disabled):
        assert guarded.request("GET", "/athletes", X_Api_Key=wrong)[::2] == forbidden
    assert guarded.request("GET", "/athletes")[::2] == forbidden
    client.update_api_key(
        apiKey=identity["apiKeyId"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )
    assert guarded.request("GET", "/athletes", X_Api_Key=value)[::2] == forbidden


def test_throttle(localaws: LocalAws, guarded: Api) -> None:
    value = with_key(localaws, guarded, "hasty", throttle={"rateLimit": 2.0, "burstLimit": 3})
    statuses = [guarded.request("GET", "/athletes", X_Api_Key=value)[0] for _ in range(6)]
    assert statuses[:3] == [200, 200, 200] and 429 in statuses[3:]
    while (answer := guarded.request("GET", "/athletes", X_Api_Key=value))[0] == 200:
        pass
    assert answer[2] == {"message": "Too Many Requests"}
    time.sleep(0.6)
    assert guarded.request("GET", "/athletes", X_Api_Key=value)[0] == 200


def test_quota(localaws: LocalAws, guarded: Api) -> None:
    value = with_key(localaws, guarded, "sparing", quota={"limit": 2, "period": "DAY"})
    assert [guarded.request("GET", "/athletes", X_Api_Key=value)[0] for _ in range(2)] == [200, 200]
    assert guarded.request("GET", "/athletes", X_Api_Key=value)[::2] == (429, {"message": "Limit Exceeded"})


def test_a_stages_throttle_counts_all_callers_of_a_method_and_needs_no_key(
    localaws: LocalAws, function_arn: str
) -> None:
    methods = {"get": integration(function_arn), "post": integration(function_arn)}
    api = deploy(localaws, document(function_arn, {"/athletes": methods}))
    settings = [("rateLimit", "2"), ("burstLimit", "3")]
    localaws.client("apigateway").update_stage(
        restApiId=api.id,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": f"/*/*/throttling/{n}", "value": v} for n, v in settings],
    )
    statuses = [api.request("GET", "/athletes")[0] for _ in range(8)]
    assert statuses[:3] == [200, 200, 200] and 429 in statuses[3:]
    assert api.request("POST", "/athletes")[0] == 200, "each method by itself"
    time.sleep(0.6)
    assert api.request("GET", "/athletes")[0] == 200


LOG_FORMAT = (
    '{"id": "$context.requestId", "resource": "$context.resourcePath", "status": "$context.status", '
    '"key": "$context.identity.apiKeyId", "error": "$context.error.responseType", "ms": "$context.responseLatency"}'
)


def test_an_access_log_needs_the_accounts_role(localaws: LocalAws, function_arn: str) -> None:
    api = deploy(localaws, document(function_arn))
    client = localaws.client("apigateway")
    client.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])
    with pytest.raises(ClientError, match="CloudWatch Logs role ARN must be set in account settings") as error:
        log_to(localaws, api, "/access/none")
    assert error.value.response["Error"]["Code"] == "BadRequestException"


def log_to(localaws: LocalAws, api: Api, group: str) -> None:
    settings = {"destinationArn": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}", "format": LOG_FORMAT}
    localaws.client("apigateway").update_stage(
        restApiId=api.id,
        stageName="prod",
        patchOperations=[
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value} for name, value in settings.items()
        ],
    )


def test_an_access_log_has_a_line_a_request_in_the_stages_format(localaws: LocalAws, function_arn: str) -> None:
    operation = {"security": [{"key": []}], **integration(function_arn)}
    api = deploy(localaws, document(function_arn, {"/athletes/{id}": {"get": operation}}))
    value = with_key(localaws, api, "logged")
    role = "arn:aws:iam::123456789012:role/api"
    localaws.client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    )
    log_to(localaws, api, "/access/log")
    assert api.request("GET", "/athletes/anna", X_Api_Key=value)[0] == 200
    assert api.request("GET", "/athletes/anna")[0] == 403
    logs, deadline = localaws.client("logs"), time.monotonic() + 5
    lines: list[Any] = []
    while len(lines) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            events = logs.filter_log_events(logGroupName="/access/log")["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        lines = [json.loads(event["message"]) for event in events]
    answered, refused = lines
    assert (answered["resource"], answered["status"], answered["error"]) == ("/athletes/{id}", "200", "-")
    assert answered["key"] not in ("-", value) and answered["ms"].isdigit()
    assert (refused["status"], refused["key"], refused["error"]) == ("403", "-", "INVALID_API_KEY")


@pytest.fixture(scope="module")
def strict(localaws: LocalAws, function_arn: str) -> Api:
    plan = {
        "type": "object",
        "required": ["weekly_load"],
        "additionalProperties": False,
        "properties": {
            "weekly_load": {"type": "array", "maxItems": 2, "items": {"$ref": "#/components/schemas/Load"}},
            "note": {"type": "string", "nullable": True},
            "example": {"type": "string"},
        },
    }
    days = {"in": "query", "name": "days", "required": True, "schema": {"type": "integer"}}
    unit = {"in": "header", "name": "X-Unit", "required": True, "schema": {"type": "string"}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Plan"}}}
    problem = '{"title":$context.error.messageString,"detail":"$context.error.validationErrorString","id":"$context.requestId"}'
    template = {"responseTemplates": {"application/problem+json": problem}}
    return deploy(
        localaws,
        document(
            function_arn,
            {
                "/forecast": {
                    "get": {
                        "parameters": [{"$ref": "#/components/parameters/days"}, unit],
                        **integration(function_arn),
                    },
                    "post": {"requestBody": {"content": content}, **integration(function_arn)},
                }
            },
            components={
                "schemas": {"Plan": plan, "Load": {"type": "number", "minimum": 0}},
                "parameters": {"days": days},
            },
            **{
                "x-amazon-apigateway-request-validators": {
                    "all": {"validateRequestBody": True, "validateRequestParameters": True}
                },
                "x-amazon-apigateway-request-validator": "all",
                "x-amazon-apigateway-gateway-responses": {
                    "BAD_REQUEST_BODY": {"statusCode": 422, **template},
                    "DEFAULT_4XX": {**template, "responseParameters": {"gatewayresponse.header.X-Why": "'gateway'"}},
                },
            },
        ),
    )


def test_required_parameters(strict: Api) -> None:
    status, headers, body = strict.request("GET", "/forecast")
    assert (status, headers["content-type"], headers["x-why"]) == (400, ["application/problem+json"], ["gateway"])
    assert body["title"] == "Missing required request parameters: [days, X-Unit]"
    assert body["id"] == headers["x-amzn-requestid"][0]
    assert strict.request("GET", "/forecast?days=", X_Unit="ml")[0] == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{}", 'object has missing required properties (["weekly_load"])'),
        ('{"weekly_load": [1, -1]}', "/weekly_load/1: numeric instance is lower than the required minimum"),
        ('{"weekly_load": ["a"]}', "instance type (string) does not match any allowed primitive type"),
        ('{"weekly_load": [], "unknown": 1}', 'not allowed by the schema: ["unknown"]'),
        ("[]", "instance type (array)"),
        ("{", "Unable to parse"),
        ("", "Unable to parse"),
    ],
)
def test_bodies_are_validated(strict: Api, body: str, words: str) -> None:
    status, headers, answer = strict.request("POST", "/forecast", body, Content_Type="application/json")
    assert (status, headers["content-type"]) == (422, ["application/problem+json"])
    assert answer["title"] == "Invalid request body"
    assert words in answer["detail"]


@pytest.mark.parametrize(
    "body", ['{"weekly_load": []}', '{"weekly_load": [1, 2, 3], "note": null}', '{"weekly_load": [], "example": "x"}']
)
def test_valid_bodies_pass_and_array_lengths_are_the_functions_business(strict: Api, body: str) -> None:
    assert strict.request("POST", "/forecast", body, Content_Type="application/json; charset=utf-8")[0] == 200


def test_a_body_of_another_type_is_not_validated(strict: Api) -> None:
    assert strict.request("POST", "/forecast", "x", Content_Type="text/plain")[0] == 200


def test_gateway_responses_also_form_unknown_routes(strict: Api) -> None:
    status, headers, body = strict.request("GET", "/nope")
    assert (status, body["title"], body["detail"]) == (403, "Missing Authentication Token", "")
    assert headers["content-type"] == ["application/problem+json"]


def test_a_stage_serves_its_deployment_until_the_next(localaws: LocalAws, function_arn: str) -> None:
    api = deploy(localaws, document(function_arn, {"/old": {"get": integration(function_arn)}}))
    client = localaws.client("apigateway")
    new = document(function_arn, {"/new": {"get": integration(function_arn)}})
    client.put_rest_api(restApiId=api.id, mode="overwrite", body=json.dumps(new))
    assert {r["path"] for r in client.get_resources(restApiId=api.id)["items"]} == {"/", "/new"}
    assert (api.request("GET", "/old")[0], api.request("GET", "/new")[0]) == (200, 403)
    first = client.get_stage(restApiId=api.id, stageName="prod")["deploymentId"]
    client.create_deployment(restApiId=api.id, stageName="prod")
    assert (api.request("GET", "/old")[0], api.request("GET", "/new")[0]) == (403, 200)
    roll_back = [{"op": "replace", "path": "/deploymentId", "value": first}]
    client.update_stage(restApiId=api.id, stageName="prod", patchOperations=roll_back)
    assert (api.request("GET", "/old")[0], api.request("GET", "/new")[0]) == (200, 403)


def test_merging_keeps_what_there_was(localaws: LocalAws, function_arn: str) -> None:
    api = deploy(localaws, document(function_arn, {"/a/b": {"get": integration(function_arn)}}))
    client = localaws.client("apigateway")
    more = document(function_arn, {"/a/c": {"get": integration(function_arn)}})
    client.put_rest_api(restApiId=api.id, mode="merge", body=json.dumps(more))
    client.create_deployment(restApiId=api.id, stageName="prod")
    assert [api.request("GET", path)[0] for path in ("/a/b", "/a/c", "/a")] == [200, 200, 403]


def test_stage_variables(localaws: LocalAws, function_arn: str) -> None:
    varied = function_arn.replace("function:api", "function:${stageVariables.which}")
    client = localaws.client("apigateway")
    api_id = client.import_rest_api(body=json.dumps(document(varied)))["id"]
    client.create_deployment(restApiId=api_id, stageName="prod", variables={"which": "api"})
    event = Api(localaws, api_id).request("GET", "/")[2]["event"]
    assert event["stageVariables"] == {"which": "api"}


@pytest.mark.parametrize(
    "broken",
    [
        {"openapi": "3.1.0"},
        {"security": [{"key": []}]},
        {"paths": {"/": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}},
        {"paths": {"/": {"get": {}}}},
        {"paths": {"/": {"get": {"security": [{"nobody": []}]}}}},
        {"x-amazon-apigateway-request-validator": "unknown"},
        {"paths": {"/": {"get": integration("a:lambda:path/functions/f/invocations", timeoutInMillis=29_001)}}},
        {"paths": {"/": {"get": integration("a:lambda:path/functions/f/invocations", timeoutInMillis=49)}}},
    ],
)
def test_a_document_that_would_not_work_is_refused(
    localaws: LocalAws, function_arn: str, broken: dict[str, Any]
) -> None:
    client = localaws.client("apigateway")
    before = len(client.get_rest_apis()["items"])
    with pytest.raises(ClientError) as refused:
        client.import_rest_api(body=json.dumps({**document(function_arn), **broken}))
    assert refused.value.response["Error"]["Code"] == "BadRequestException"
    assert len(client.get_rest_apis()["items"]) == before


def test_keys_and_deployments_stay_the_same_over_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = LocalAws(tmp_path_factory.mktemp("gateway"))
    server.start()
    try:
        arn = make_function(server, "api")
        api = deploy(server, document(arn, {"/a": {"get": {"security": [{"key": []}], **integration(arn)}}}))
        value = with_key(server, api, "kept", quota={"limit": 2, "period": "MONTH"})
        assert api.request("GET", "/a", X_Api_Key=value)[0] == 200
        new = document(arn, {"/b": {"get": integration(arn)}})
        server.client("apigateway").put_rest_api(restApiId=api.id, mode="overwrite", body=json.dumps(new))
        server.stop()
        server.start()
        assert api.request("GET", "/a", X_Api_Key=value)[0] == 200
        assert api.request("GET", "/a", X_Api_Key=value)[0] == 429
        assert api.request("GET", "/b")[0] == 403
    finally:
        server.stop()
