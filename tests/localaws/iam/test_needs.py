"""Which action on which resource an operation takes."""

import json
from importlib.resources import files
from typing import Any

import pytest

from infra.localaws.iam.needs import needs, passed_roles
from infra.localaws.iam.request import Operation

ACCOUNT = "123456789012"
SAGEMAKER = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:"


def wanted(service: str, name: str, method: str = "POST", path: str = "/", **parameters: Any) -> list[tuple[str, str]]:
    operation = Operation(service, name, "us-east-1", method, path, parameters)
    return [(need.action, need.resource) for need in needs(operation, ACCOUNT)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (wanted("sagemaker", "CreateTrainingJob", TrainingJobName="t"), [("sagemaker:CreateTrainingJob", SAGEMAKER + "training-job/t")]),
        (wanted("sagemaker", "DescribeModelPackage", ModelPackageName=SAGEMAKER + "model-package/g/3"),
         [("sagemaker:DescribeModelPackage", SAGEMAKER + "model-package/g/3")]),
        (wanted("sagemaker", "ListModelPackages", ModelPackageGroupName="g"), [("sagemaker:ListModelPackages", SAGEMAKER + "model-package/g/*")]),
        (wanted("sagemaker", "CreateEndpoint", EndpointName="e", EndpointConfigName="c"),
         [("sagemaker:CreateEndpoint", SAGEMAKER + "endpoint/e"), ("sagemaker:CreateEndpoint", SAGEMAKER + "endpoint-config/c")]),
        (wanted("s3", "HeadObject", Bucket="b", Key="k"), [("s3:GetObject", "arn:aws:s3:::b/k")]),
        (wanted("s3", "GetObject", Bucket="b", Key="k", versionId="v"), [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        (wanted("s3", "ListObjectsV2", Bucket="b", Key=""), [("s3:ListBucket", "arn:aws:s3:::b")]),
        (wanted("s3", "UploadPart", Bucket="b", Key="k"), [("s3:PutObject", "arn:aws:s3:::b/k")]),
        (wanted("s3", "CopyObject", Bucket="b", Key="k", CopySource="/c/d%20e"), [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::c/d e")]),
        (wanted("s3", "PutBucketVersioning", Bucket="b", Key=""), [("s3:PutBucketVersioning", "arn:aws:s3:::b")]),
        (wanted("s3", "DeleteObjects", Bucket="b", Key="", Body=b"<Delete><Object><Key>a</Key></Object><Object><Key>c</Key><VersionId>1</VersionId></Object></Delete>"),
         [("s3:DeleteObject", "arn:aws:s3:::b/a"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/c")]),
        (wanted("apigateway", "GetApiKey", "GET", "/apikeys/abc"), [("apigateway:GET", "arn:aws:apigateway:us-east-1::/apikeys/abc")]),
        (wanted("lambda", "Invoke", FunctionName="f"), [("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f")]),
        (wanted("ssm", "GetParameter", Name="/p/serving"), [("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/p/serving")]),
        (wanted("ssm", "GetParameter", Name="/p/garmin/me:3"), [("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/p/garmin/me")]),
        (wanted("cloudformation", "DescribeStacks", StackName="s"), [("cloudformation:DescribeStacks", f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/s/*")]),
        (wanted("iam", "CreateRole", RoleName="r"), [("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/r")]),
        (wanted("lambda", "CreateFunction", FunctionName="f", Code={"S3Bucket": "b", "S3Key": "k"}),
         [("lambda:CreateFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"), ("s3:GetObject", "arn:aws:s3:::b/k")]),
        (wanted("sagemaker", "CreateModel", ModelName="m", Tags=[{"Key": "a", "Value": "b"}]),
         [("sagemaker:CreateModel", SAGEMAKER + "model/m"), ("sagemaker:AddTags", SAGEMAKER + "model/m")]),
        (wanted("iam", "CreateRole", **{"RoleName": "r", "Tags.member.1.Key": "a"}),
         [("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/r"), ("iam:TagRole", f"arn:aws:iam::{ACCOUNT}:role/r")]),
        (wanted("cloudwatch", "DescribeAlarms", AlarmNames=["a"]), [("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a")]),
        (wanted("athena", "StartQueryExecution"), [("athena:StartQueryExecution", "*")]),
    ],
)  # fmt: skip
def test_an_operation_takes_its_action_on_its_resource(found: Any, expected: Any) -> None:
    assert found == expected


def test_listing_a_bucket_has_its_prefix_as_a_condition_key() -> None:
    operation = Operation("s3", "ListObjectsV2", "us-east-1", "GET", "/b", {"Bucket": "b", "Key": "", "prefix": "raw/"})
    assert needs(operation, ACCOUNT)[0].context == {"s3:prefix": "raw/"}


def test_events_are_put_one_by_one_each_with_its_source() -> None:
    entries = [{"Source": "a", "DetailType": "t"}, {"Source": "b", "DetailType": "t", "EventBusName": "other"}]
    found = needs(Operation("events", "PutEvents", "us-east-1", "POST", "/", {"Entries": entries}), ACCOUNT)
    assert [need.context["events:source"] for need in found] == ["a", "b"]
    assert found[1].resource.endswith("event-bus/other")


def test_a_role_that_an_operation_hands_on_is_passed_to_its_service() -> None:
    operation = Operation(
        "lambda", "CreateFunction", "us-east-1", "POST", "/", {"Role": f"arn:aws:iam::{ACCOUNT}:role/r"}
    )
    assert [(p.arn, p.service) for p in passed_roles(operation)] == [
        (f"arn:aws:iam::{ACCOUNT}:role/r", "lambda.amazonaws.com")
    ]


def test_every_action_of_the_table_is_one_of_aws() -> None:
    """cfn-lint carries the actions of AWS's Service Authorization Reference."""
    known: Any = json.loads((files("cfnlint") / "data/AdditionalSpecs/Policies.json").read_text())
    from infra.localaws.iam import needs as module

    actions = {
        "sagemaker": [name for name in module._SAGEMAKER if name.startswith(("Create", "Describe", "Delete", "List"))],
        "cloudformation": module._CLOUDFORMATION,
        "s3": module._S3_ACTIONS.values(),
        "lambda": module._LAMBDA_ACTIONS.values(),
    }
    for service, names in actions.items():
        lower = {action.lower() for action in known[service]["Actions"]}
        assert not [name for name in names if name.lower() not in lower], service
