"""What local AWS lacks is a clean 400 at once, in the service's own protocol."""

import json
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

LACKING = [
    ("sagemaker", "list_devices", {}, "sagemaker:ListDevices"),
    ("glue", "list_blueprints", {}, "glue:ListBlueprints"),
    ("iam", "generate_service_last_accessed_details", {"Arn": "arn:aws:iam::123456789012:role/role"}, "iam:Generate"),
    ("ec2", "describe_fleet_history", {"FleetId": "f", "StartTime": 0}, "ec2:DescribeFleetHistory"),
    ("appflow", "list_flows", {}, "appflow:ListFlows"),
    ("lambda", "list_code_signing_configs", {}, "lambda:ListCodeSigningConfigs"),
    ("cloudwatch", "describe_anomaly_detectors", {}, "monitoring:DescribeAnomalyDetectors"),
]


@pytest.mark.parametrize(("service", "action", "arguments", "name"), LACKING)
def test_a_lacking_action_is_refused_by_name(localaws, service, action, arguments, name):
    began = time.monotonic()
    with pytest.raises(ClientError) as error:
        getattr(localaws.client(service), action)(**arguments)
    answer = error.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
    assert answer["Error"]["Code"] == "NotImplemented"
    assert "local AWS does not do " + name in answer["Error"]["Message"]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/2015-03-31/no-such-path", {"Authorization": "Credential=l/20260101/us-east-1/lambda/aws4_request"}),
        ("POST", "/moto-api/reset", {}),
        ("POST", "/", {"X-Amz-Target": "Nobody.DoIt", "Content-Type": "application/x-amz-json-1.1"}),
        ("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_no_html_and_no_traceback(localaws, method, path, headers):
    request = urllib.request.Request(localaws.url + path, b"{}" if method == "POST" else None, headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    body = error.value.read().decode()
    assert 400 <= error.value.code < 500
    assert "<!doctype" not in body.lower()
    assert "Traceback" not in body


def test_moto_cannot_be_reset_from_outside(localaws):
    localaws.client("ssm").put_parameter(Name="/stays", Value="1", Type="String")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(localaws.url + "/moto-api/reset", b"", method="POST"))
    assert localaws.client("ssm").get_parameter(Name="/stays")["Parameter"]["Value"] == "1"


def test_a_foreign_host_is_refused(localaws):
    request = urllib.request.Request(localaws.url + "/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert error.value.code == 403


def test_other_origins_get_no_permission(localaws):
    request = urllib.request.Request(
        localaws.url + "/b/k", headers={"Origin": "https://evil.example"}, method="OPTIONS"
    )
    try:
        headers = urllib.request.urlopen(request).headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    assert headers.get("Access-Control-Allow-Origin") is None


def test_health(localaws):
    health = json.load(urllib.request.urlopen(localaws.url + "/_localaws/health"))
    assert health["status"] in ("starting", "ready")
    assert {"s3", "sagemaker"} <= set(health["services"])
