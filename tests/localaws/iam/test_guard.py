"""The door of a running local AWS: roles, their limits, roles that are passed on, and credentials."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.localaws.conftest import LocalAws

ACCOUNT = "123456789012"
PEOPLE = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
BUCKET = "guarded"

Session = Callable[..., Any]


@pytest.fixture(scope="module")
def iam(localaws: LocalAws) -> Any:
    localaws.client("s3").create_bucket(Bucket=BUCKET)
    return localaws.client("iam")


def trust(principal: Any, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.fixture
def as_role(localaws: LocalAws, iam: Any, request: pytest.FixtureRequest) -> Iterator[Session]:
    """`as_role(*statements)` makes a role of those statements and gives clients of a session of it."""
    name = f"role-{abs(hash(request.node.name)) % 10**8}"

    def make(*statements: Any, **role: Any) -> Callable[[str], Any]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(PEOPLE), **role)
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        found = localaws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        session = boto3.Session(
            found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], region_name="us-east-1"
        )
        return lambda service: session.client(service, endpoint_url=localaws.url)

    make.role_name = name  # type: ignore[attr-defined]
    yield make
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_role_may_do_what_its_policy_says_and_nothing_else(as_role: Session) -> None:
    s3 = as_role(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{BUCKET}/mine/*"))("s3")
    s3.put_object(Bucket=BUCKET, Key="mine/1", Body=b"1")
    code, message = refusal(lambda: s3.put_object(Bucket=BUCKET, Key="other/1", Body=b"1"))
    assert code == "AccessDenied"
    assert "is not authorized to perform: s3:PutObject on resource" in message
    assert "because no identity-based policy allows the s3:PutObject action" in message


def test_who_may_not_list_a_bucket_is_not_told_that_a_key_is_missing(as_role: Session) -> None:
    s3 = as_role(allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*"))("s3")
    code, message = refusal(lambda: s3.get_object(Bucket=BUCKET, Key="nothing"))
    assert code == "AccessDenied"
    assert "s3:ListBucket" in message


def test_who_may_list_a_bucket_is_told(as_role: Session) -> None:
    s3 = as_role(allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*"), allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"))
    assert refusal(lambda: s3("s3").get_object(Bucket=BUCKET, Key="nothing"))[0] == "NoSuchKey"


@pytest.mark.parametrize("padding_bytes", [0, 2 * 1024 * 1024])
def test_keys_are_deleted_only_where_each_may_be(
    localaws: LocalAws, as_role: Session, iam: Any, padding_bytes: int
) -> None:
    """However a key is spelled in XML, and however long the list: what cannot be checked is refused."""
    localaws.client("s3").put_object(Bucket=BUCKET, Key="kept/1", Body=b"1")
    kept = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}/kept/*"}
    given = as_role(allow("s3:*"), kept)("s3")._request_signer._credentials
    body = b"<Delete>" + b" " * padding_bytes + b"<Object><Key>k&#101;pt/1</Key></Object></Delete>"
    scope = f"AWS4-HMAC-SHA256 Credential={given.access_key}/20260101/us-east-1/s3/aws4_request, Signature=x"
    headers = {"Authorization": scope, "X-Amz-Security-Token": given.token}
    answer = httpx.post(f"{localaws.url}/{BUCKET}?delete", content=body, headers=headers)
    expected = (400, "MaxMessageLengthExceeded") if padding_bytes else (403, "AccessDenied")
    assert (answer.status_code, expected[1] in answer.text) == (expected[0], True)
    assert localaws.client("s3").get_object(Bucket=BUCKET, Key="kept/1")["Body"].read() == b"1"


def test_a_condition_narrows_what_may_be_listed(as_role: Session) -> None:
    prefix = {"StringLike": {"s3:prefix": "raw/*"}}
    s3 = as_role(allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", Condition=prefix))("s3")
    s3.list_objects_v2(Bucket=BUCKET, Prefix="raw/x")
    assert refusal(lambda: s3.list_objects_v2(Bucket=BUCKET))[0] == "AccessDenied"


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("sagemaker", "list_model_packages", {"ModelPackageGroupName": "g"}, "AccessDeniedException"),
        ("sagemaker-featurestore-runtime", "get_record",
         {"FeatureGroupName": "f", "RecordIdentifierValueAsString": "1"}, "AccessForbidden"),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b""}, "AccessDeniedException"),
        ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException"),
        ("cloudformation", "describe_stacks", {"StackName": "s"}, "AccessDenied"),
        ("iam", "get_role", {"RoleName": "r"}, "AccessDenied"),
        ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException"),
        ("apigateway", "get_rest_apis", {}, "AccessDeniedException"),
        ("events", "put_events", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]}, "AccessDeniedException"),
        ("sqs", "list_queues", {}, "AccessDeniedException"),
    ],
)  # fmt: skip
def test_each_service_refuses_in_its_own_words(
    as_role: Session, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    client = as_role(allow("s3:GetObject", "arn:aws:s3:::nothing/*"))(service)
    assert refusal(lambda: getattr(client, operation)(**arguments))[0] == code


def test_a_boundary_limits_whatever_the_policies_allow(as_role: Session, iam: Any) -> None:
    limits = document(allow("s3:*", f"arn:aws:s3:::{BUCKET}/*"))
    boundary = iam.create_policy(PolicyName="limits", PolicyDocument=limits)["Policy"]["Arn"]
    clients = as_role(allow("*"), PermissionsBoundary=boundary)
    clients("s3").put_object(Bucket=BUCKET, Key="bounded", Body=b"1")
    assert "no permissions boundary allows" in refusal(lambda: clients("iam").list_roles())[1]


def test_roles_can_be_made_only_with_the_boundary_that_the_policy_asks_for(as_role: Session, iam: Any) -> None:
    boundary = iam.create_policy(PolicyName="most", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    made = f"arn:aws:iam::{ACCOUNT}:role/made"
    client = as_role(allow(["iam:CreateRole", "iam:PutRolePolicy"], made, Condition=bounded))("iam")
    anyone = trust(PEOPLE)
    assert refusal(lambda: client.create_role(RoleName="made", AssumeRolePolicyDocument=anyone))[0] == "AccessDenied"
    client.create_role(RoleName="made", AssumeRolePolicyDocument=anyone, PermissionsBoundary=boundary)
    client.put_role_policy(RoleName="made", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    iam.delete_role_permissions_boundary(RoleName="made")
    more = document(allow("*"))
    assert (
        refusal(lambda: client.put_role_policy(RoleName="made", PolicyName="q", PolicyDocument=more))[0]
        == "AccessDenied"
    )


def function_request(role: str) -> dict[str, Any]:
    return {
        "FunctionName": "f", "Runtime": "python3.12", "Handler": "m.f", "Role": role, "Code": {"ZipFile": b"x"},
    }  # fmt: skip


def test_a_role_is_handed_on_only_by_who_may_pass_it_to_that_service(as_role: Session, iam: Any) -> None:
    service = {"Service": "lambda.amazonaws.com"}
    arn = iam.create_role(RoleName="for-lambda", AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    client = as_role(allow("lambda:CreateFunction", function), allow("iam:PassRole", arn, Condition=to_sagemaker))
    code, message = refusal(lambda: client("lambda").create_function(**function_request(arn)))
    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message


def test_a_role_that_does_not_trust_the_service_cannot_be_given_to_it(localaws: LocalAws, iam: Any) -> None:
    arn = iam.create_role(RoleName="for-people", AssumeRolePolicyDocument=trust(PEOPLE))["Role"]["Arn"]
    client = localaws.client("lambda")
    message = "The role defined for the function cannot be assumed by Lambda."
    assert refusal(lambda: client.create_function(**function_request(arn)))[1] == message


def test_a_role_that_does_not_exist_cannot_be_given_to_a_job(localaws: LocalAws) -> None:
    request = {
        "ProcessingJobName": "p",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody",
        "AppSpecification": {"ImageUri": "sagemaker-xgboost:3.2-0"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }
    code, message = refusal(lambda: localaws.client("sagemaker").create_processing_job(**request))
    assert code == "ValidationException"
    assert message.startswith(f"Could not assume role arn:aws:iam::{ACCOUNT}:role/nobody.")


def test_a_trust_policy_may_ask_for_the_account_of_the_source(localaws: LocalAws, iam: Any) -> None:
    for account, is_trusted in (("999999999999", False), (ACCOUNT, True)):
        condition = {"StringEquals": {"aws:SourceAccount": account}}
        service = {"Service": "airflow-env.amazonaws.com"}
        iam.create_role(RoleName=f"for-{account}", AssumeRolePolicyDocument=trust(service, **condition))
        answer = httpx.get(f"{localaws.url}/_localaws/credentials/airflow-env.amazonaws.com/for-{account}")
        assert (answer.status_code == 200) is is_trusted


def test_a_container_gets_its_roles_credentials_by_the_address_that_sdks_ask(
    localaws: LocalAws, iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = {"Service": "airflow-env.amazonaws.com"}
    iam.create_role(RoleName="tasks", AssumeRolePolicyDocument=trust(service))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    address = f"{localaws.url}/_localaws/credentials/airflow-env.amazonaws.com/tasks"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
    session = boto3.Session(region_name="us-east-1")
    caller = session.client("sts", endpoint_url=localaws.url).get_caller_identity()
    assert caller["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/tasks/")


def test_credentials_of_nobody_are_refused(localaws: LocalAws) -> None:
    stranger = boto3.Session("AKIAX", "secret", region_name="us-east-1")
    s3, sagemaker = (stranger.client(name, endpoint_url=localaws.url) for name in ("s3", "sagemaker"))
    assert refusal(s3.list_buckets)[0] == "InvalidAccessKeyId"
    assert refusal(sagemaker.list_models)[0] == "UnrecognizedClientException"


def test_a_request_without_a_signature_is_nobodys(localaws: LocalAws, iam: Any) -> None:
    localaws.client("s3").put_object(Bucket=BUCKET, Key="private", Body=b"1")
    for method in ("GET", "PUT", "DELETE"):
        answer = httpx.request(method, f"{localaws.url}/{BUCKET}/private")
        assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)
    form = httpx.post(localaws.url, data={"Action": "ListRoles", "Version": "2010-05-08"})
    assert (form.status_code, "MissingAuthenticationToken" in form.text) == (403, True)
    target = {"X-Amz-Target": "AmazonSSM.DescribeParameters", "Content-Type": "application/x-amz-json-1.1"}
    answer = httpx.post(localaws.url, headers=target, content=b"{}")
    assert answer.json()["__type"] == "MissingAuthenticationToken"


def test_an_address_that_was_signed_is_its_signers(localaws: LocalAws, iam: Any) -> None:
    s3 = localaws.client("s3", config=Config(signature_version="s3v4"))
    s3.put_object(Bucket=BUCKET, Key="shared", Body=b"1")
    address = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "shared"})
    assert httpx.get(address).content == b"1"


def test_a_token_that_was_changed_is_refused(localaws: LocalAws, as_role: Session) -> None:
    client = as_role(allow("*"))("sts")
    given = client._request_signer._credentials
    forged = boto3.Session(given.access_key, given.secret_key, given.token[:-2] + "xx", region_name="us-east-1")
    call = forged.client("sts", endpoint_url=localaws.url).get_caller_identity
    assert refusal(call)[0] == "InvalidClientTokenId"


def test_a_session_lasts_no_longer_than_its_role_allows(localaws: LocalAws, iam: Any) -> None:
    arn = iam.create_role(RoleName="short", AssumeRolePolicyDocument=trust(PEOPLE))["Role"]["Arn"]
    sts = localaws.client("sts")
    long = {"RoleArn": arn, "RoleSessionName": "long", "DurationSeconds": 7200}
    assert "MaxSessionDuration" in refusal(lambda: sts.assume_role(**long))[1]


def test_every_call_of_a_role_is_counted_with_the_grant_that_let_it_through(
    localaws: LocalAws, as_role: Session
) -> None:
    s3 = as_role(allow("s3:Put*", f"arn:aws:s3:::{BUCKET}/counted/*", Sid="Count"))("s3")
    s3.put_object(Bucket=BUCKET, Key="counted/1", Body=b"1")
    refusal(lambda: s3.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"1"))
    calls = httpx.get(f"{localaws.url}/_localaws/iam/calls").json()
    role = as_role.role_name  # type: ignore[attr-defined]
    assert [role, "p/Count", "s3:Put*", 1] in calls["grants"]
    assert [d["action"] for d in calls["denied"] if d["role"] == role] == ["s3:PutObject"]


def test_what_a_service_may_not_do_under_a_deleted_role(localaws: LocalAws, as_role: Session, iam: Any) -> None:
    """Sessions outlive their role, and may then do nothing."""
    s3 = as_role(allow("s3:*"))("s3")
    name = as_role.role_name  # type: ignore[attr-defined]
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    assert refusal(s3.list_buckets)[0] == "AccessDenied"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(PEOPLE))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("s3:*")))
