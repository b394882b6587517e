"""What services do under the roles that they are given: a right that a role lacks fails the work that takes it."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import botocore
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import (
    ACCOUNT_ID,
    LAMBDA,
    LOG_GRANTS,
    SAGEMAKER,
    SERVICE_GRANTS,
    LocalAws,
    Statement,
    allow,
    policy_document,
    role_arn_of,
)
from tests.localaws.sagemaker_requests import (
    BUCKET,
    IMAGE,
    end_of_processing,
    end_of_training,
    make_bucket,
    need_mount_namespaces,
    processing_input,
    processing_output,
    processing_request,
    tar_gz,
    training_request,
    wait_until,
)
from tests.localaws.test_featurestore import FEATURES, offline_rows, offline_rows_now, record

pytestmark = pytest.mark.timeout(120)
CLOUDFORMATION = "cloudformation.amazonaws.com"
SDK_FOLDER = str(Path(botocore.__file__).parents[1])
"""Where a job's Python finds botocore: the interpreter of jobs has none of its own."""
WHO_AM_I = """
import botocore.session
import sys
caller = botocore.session.get_session().create_client('sts').get_caller_identity()['Arn']
open('/opt/ml/output/{file}', 'w').write(caller)
sys.exit({exit_code})
"""


@pytest.fixture(scope="module")
def aws(localaws: LocalAws) -> LocalAws:
    """A local AWS with a bucket of inputs."""
    make_bucket(localaws).put_object(Bucket=BUCKET, Key="days/1.txt", Body=b"1")
    return localaws


def without(*actions: str) -> Sequence[Statement]:
    """The grants of a service but for some actions."""
    kept = []
    for statement in SERVICE_GRANTS:
        named = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        if left := [action for action in named if action not in actions]:
            kept.append({**statement, "Action": left})
    return kept


def is_refused(message: str, role: str, action: str) -> bool:
    """Whether a message has IAM's sentence about an action that a role's session was refused."""
    session = f"User: arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/"
    return session in message and f"is not authorized to perform: {action} on resource: " in message


def test_a_processing_job_may_not_read_an_input_that_its_role_may_not(aws: LocalAws) -> None:
    role = aws.make_role("reads-nothing", SAGEMAKER, *without("s3:GetObject"))
    inputs = [processing_input("days", "days/", "input")]
    request = processing_request("reads-nothing", "pass", RoleArn=role, ProcessingInputs=inputs)
    aws.client("sagemaker").create_processing_job(**request)
    ended = end_of_processing(aws, "reads-nothing")
    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith("ClientError: ")
    assert is_refused(ended["FailureReason"], "reads-nothing", "s3:GetObject")


def test_a_processing_job_may_not_write_an_output_that_its_role_may_not(aws: LocalAws) -> None:
    role = aws.make_role("writes-nothing", SAGEMAKER, *without("s3:PutObject"))
    outputs = {"Outputs": [processing_output("report", "report", "reports/refused")]}
    code = "open('/opt/ml/processing/report/1.txt', 'w').write('1')"
    request = processing_request("writes-nothing", code, RoleArn=role, ProcessingOutputConfig=outputs)
    aws.client("sagemaker").create_processing_job(**request)
    ended = end_of_processing(aws, "writes-nothing")
    assert ended["ProcessingJobStatus"] == "Failed"
    assert is_refused(ended["FailureReason"], "writes-nothing", "s3:PutObject")
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="reports/refused")


@pytest.mark.parametrize(
    "action", ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage"]
)
def test_a_training_job_does_not_begin_where_its_role_may_not_pull_the_image(aws: LocalAws, action: str) -> None:
    name = action.replace("ecr:", "pulls-without-")
    role = aws.make_role(name, SAGEMAKER, *without(action))
    aws.client("sagemaker").create_training_job(**training_request(name, aws, "pass", RoleArn=role))
    ended = end_of_training(aws, name)
    assert ended["TrainingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith("ClientError: ")
    assert is_refused(ended["FailureReason"], name, action)


def streams_of(aws: LocalAws, group: str, prefix: str = "") -> list[str]:
    """The log streams of a group that begin so; none where there is no group."""
    logs = aws.client("logs")
    try:
        found = logs.describe_log_streams(logGroupName=group)["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [stream["logStreamName"] for stream in found if stream["logStreamName"].startswith(prefix)]


def test_a_job_whose_role_may_not_log_runs_and_leaves_no_line(aws: LocalAws) -> None:
    group = "/aws/sagemaker/ProcessingJobs"
    grants = {"silent": without("logs:CreateLogStream"), "heard": SERVICE_GRANTS}
    for name, statements in grants.items():
        role = aws.make_role(f"{name}-job", SAGEMAKER, *statements)
        aws.client("sagemaker").create_processing_job(**processing_request(name, "print('hello')", RoleArn=role))
    assert {end_of_processing(aws, name)["ProcessingJobStatus"] for name in grants} == {"Completed"}
    wait_until(lambda: streams_of(aws, group, "heard/"))
    assert streams_of(aws, group, "silent/") == []


def trust_of(source: str) -> str:
    """A trust policy that lets SageMaker in for resources that match an ARN alone."""
    return policy_document(
        {
            "Effect": "Allow",
            "Principal": {"Service": SAGEMAKER},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT_ID}:{source}"}},
        }
    )


def test_a_processing_job_calls_aws_as_its_role(aws: LocalAws) -> None:
    role = aws.make_role("job-identity")
    trust = trust_of("processing-job/says-who-*")
    aws.client("iam").update_assume_role_policy(RoleName="job-identity", PolicyDocument=trust)
    code = "; ".join(WHO_AM_I.format(file="message", exit_code=0).strip().splitlines())
    request = processing_request("says-who-it-is", code, RoleArn=role, Environment={"PYTHONPATH": SDK_FOLDER})
    aws.client("sagemaker").create_processing_job(**request)
    ended = end_of_processing(aws, "says-who-it-is")
    assert ended["ProcessingJobStatus"] == "Completed"
    assert ended["ExitMessage"].startswith(f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/job-identity/")


def test_a_trust_policy_for_other_jobs_keeps_the_role_from_a_job(aws: LocalAws) -> None:
    role = aws.make_role("for-other-jobs")
    aws.client("iam").update_assume_role_policy(
        RoleName="for-other-jobs", PolicyDocument=trust_of("processing-job/other-*")
    )
    with pytest.raises(ClientError, match="Could not assume role"):
        aws.client("sagemaker").create_processing_job(**processing_request("untrusted", "pass", RoleArn=role))


@pytest.mark.parametrize(
    ("operation", "request_of"),
    [
        ("create_processing_job", lambda _, role: processing_request("p", "pass", RoleArn=role)),
        ("create_training_job", lambda aws, role: training_request("t", aws, "pass", RoleArn=role)),
        ("create_model", lambda _, role: {"ModelName": "m", "ExecutionRoleArn": role}),
        ("create_feature_group", lambda _, role: group_request("f", role)),
    ],
)
def test_an_arn_that_is_no_roles_is_refused_by_its_form(
    aws: LocalAws, operation: str, request_of: Callable[[LocalAws, str], dict[str, Any]]
) -> None:
    request = request_of(aws, f"arn:aws:iam::{ACCOUNT_ID}:user/someone")
    with pytest.raises(ClientError, match=r"(?i)rolearn.* failed to satisfy constraint") as caught:
        getattr(aws.client("sagemaker"), operation)(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_training_job_calls_aws_as_its_role(aws: LocalAws) -> None:
    need_mount_namespaces()
    script = WHO_AM_I.format(file="failure", exit_code=1)
    role = aws.make_role("trainer")
    request = training_request("who-trains", aws, script, RoleArn=role, Environment={"PYTHONPATH": SDK_FOLDER})
    aws.client("sagemaker").create_training_job(**request)
    reason = end_of_training(aws, "who-trains")["FailureReason"]
    assert f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/trainer/" in reason


def test_a_job_without_network_gets_no_credentials(aws: LocalAws) -> None:
    code = "import os; open('/opt/ml/output/message', 'w').write(' '.join(sorted(os.environ)))"
    request = processing_request(
        "isolated", code, RoleArn=aws.make_role("isolated"), NetworkConfig={"EnableNetworkIsolation": True}
    )
    aws.client("sagemaker").create_processing_job(**request)
    variables = end_of_processing(aws, "isolated")["ExitMessage"].split()
    assert "PROCESSING_JOB_NAME" in variables
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in variables


def test_an_endpoint_fails_where_the_models_role_may_not_read_the_artifact(aws: LocalAws) -> None:
    sagemaker, name = aws.client("sagemaker"), "reads-no-model"
    aws.client("s3").put_object(Bucket=BUCKET, Key="m.tar.gz", Body=tar_gz({"code/inference.py": "pass"}))
    role = aws.make_role(name, SAGEMAKER, *without("s3:GetObject"))
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {"VariantName": "A", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def failed() -> Any:
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
        return endpoint if endpoint["EndpointStatus"] == "Failed" else None

    assert is_refused(wait_until(failed)["FailureReason"], name, "s3:GetObject")


def group_request(name: str, role: str) -> dict[str, Any]:
    return {
        "FeatureGroupName": name,
        "RecordIdentifierFeatureName": "athlete_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": FEATURES,
        "RoleArn": role,
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/feature-store"}},
    }


def make_group(aws: LocalAws, name: str, role: str) -> Mapping[str, Any]:
    """A feature group with an offline store, once its creation has ended."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_feature_group(**group_request(name, role))

    def created() -> Any:
        group = sagemaker.describe_feature_group(FeatureGroupName=name)
        return None if group["FeatureGroupStatus"] == "Creating" else group

    found: Mapping[str, Any] = wait_until(created)
    return found


def test_a_feature_group_is_not_made_where_its_role_may_not_ask_who_owns_the_bucket(aws: LocalAws) -> None:
    role = aws.make_role("asks-nothing", SAGEMAKER, *without("s3:GetBucketAcl"))
    group = make_group(aws, "asks-nothing", role)
    assert group["FeatureGroupStatus"] == "CreateFailed"
    assert is_refused(group["FailureReason"], "asks-nothing", "s3:GetBucketAcl")


def denied_actions(aws: LocalAws, role: str) -> set[str]:
    calls = httpx.get(f"{aws.url}/_localaws/iam/calls").json()
    return {call["action"] for call in calls["denied"] if call["role"] == role}


def put_day(aws: LocalAws, group: str, day: str) -> None:
    runtime = aws.client("sagemaker-featurestore-runtime")
    runtime.put_record(FeatureGroupName=group, Record=record("ann", day, load_7d=1.5, readings=1))


def test_records_wait_while_a_feature_groups_role_may_not_write_and_are_written_then(aws: LocalAws) -> None:
    name = "writes-later"
    group = make_group(aws, name, aws.make_role(name))
    aws.make_role(name, SAGEMAKER, *without("s3:PutObject"))
    put_day(aws, name, "2026-01-01")
    wait_until(lambda: "s3:PutObject" in denied_actions(aws, name))
    assert offline_rows_now(aws, group) == []
    aws.make_role(name)
    assert [row["athlete_id"] for row in offline_rows(aws, group, 1)] == ["ann"]


def test_a_feature_group_can_be_deleted_after_its_role(aws: LocalAws) -> None:
    name = "outlives-its-role"
    make_group(aws, name, aws.make_role(name))
    put_day(aws, name, "2026-01-01")
    iam = aws.client("iam")
    iam.delete_role_policy(RoleName=name, PolicyName="grants")
    iam.delete_role(RoleName=name)
    aws.client("sagemaker").delete_feature_group(FeatureGroupName=name)


ASKING = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    print("asked")
    caller = boto3.client("sts").get_caller_identity()["Arn"]
    try:
        boto3.client("s3").put_object(Bucket=event["bucket"], Key="from-lambda", Body=b"1")
    except ClientError as error:
        return {"caller": caller, "refusal": error.response["Error"]}
    return {"caller": caller}
"""


def run_function(aws: LocalAws, name: str, *statements: Statement) -> dict[str, Any]:
    """The answer of a new function whose role is called as itself."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", ASKING)
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name, Role=aws.make_role(name, LAMBDA, *statements), Runtime="python3.12", Timeout=30,
        Handler="app.handler", Code={"ZipFile": data.getvalue()}, MemorySize=256,
    )  # fmt: skip
    answer: dict[str, Any] = json.load(
        client.invoke(FunctionName=name, Payload=json.dumps({"bucket": BUCKET}))["Payload"]
    )
    return answer


def test_a_function_acts_as_its_role_and_is_refused_what_the_role_lacks(aws: LocalAws) -> None:
    answer = run_function(aws, "asking", *LOG_GRANTS)
    assert answer["caller"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/asking/asking"
    assert answer["refusal"]["Code"] == "AccessDenied"
    assert is_refused(answer["refusal"]["Message"], "asking", "s3:PutObject")


def test_a_function_whose_role_may_not_log_runs_and_leaves_no_line(aws: LocalAws) -> None:
    may_put = allow("s3:PutObject", f"arn:aws:s3:::{BUCKET}/from-lambda")
    assert "refusal" not in run_function(aws, "unheard", may_put)
    assert "refusal" not in run_function(aws, "logged", may_put, *LOG_GRANTS)
    wait_until(lambda: streams_of(aws, "/aws/lambda/logged"))  # lines are written in their order
    assert streams_of(aws, "/aws/lambda/unheard") == []


def test_a_function_whose_role_is_gone_is_not_run(aws: LocalAws) -> None:
    run_function(aws, "orphan", *LOG_GRANTS)
    iam, client = aws.client("iam"), aws.client("lambda")
    iam.delete_role_policy(RoleName="orphan", PolicyName="grants")
    iam.delete_role(RoleName="orphan")
    client.update_function_configuration(FunctionName="orphan", Timeout=20)  # the next call needs a new worker
    with pytest.raises(ClientError, match="cannot be assumed by Lambda") as caught:
        client.invoke(FunctionName="orphan", Payload=b"{}")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


Clients = Callable[[str], Any]


@pytest.fixture
def as_role(aws: LocalAws, request: pytest.FixtureRequest) -> Iterator[Callable[..., Clients]]:
    """`as_role(*statements)` gives clients of a session of a role with those statements."""
    name = f"person-{request.node.name}"[:64]

    def clients(*statements: Statement) -> Clients:
        role = aws.make_role(name, LAMBDA, *statements)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, "Action": "sts:AssumeRole"}
        aws.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=policy_document(trust))
        given = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        session = boto3.Session(*keys, region_name="us-east-1")
        return lambda service: session.client(service, endpoint_url=aws.url)  # type: ignore[call-overload]

    yield clients
    aws.client("iam").delete_role_policy(RoleName=name, PolicyName="grants")
    aws.client("iam").delete_role(RoleName=name)


def queue_template(name: str) -> str:
    return json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}}})


def ended_stack(aws: LocalAws, name: str) -> dict[str, Any]:
    def ended() -> Any:
        stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    found: dict[str, Any] = wait_until(ended)
    return found


ANY_STACK = allow("cloudformation:*", f"arn:aws:cloudformation:us-east-1:{ACCOUNT_ID}:stack/*")
QUEUES = allow("sqs:*", f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:allowed-*")


def test_cloudformation_is_refused_what_its_service_role_lacks(aws: LocalAws) -> None:
    role = aws.make_role("stacks", CLOUDFORMATION, QUEUES, allow("sqs:GetQueueUrl"))
    client = aws.client("cloudformation")
    for name, status in (("allowed-queue", "CREATE_COMPLETE"), ("other-queue", "ROLLBACK_COMPLETE")):
        client.create_stack(StackName=name, TemplateBody=queue_template(name), RoleARN=role)
        assert ended_stack(aws, name)["StackStatus"] == status
    events = client.describe_stack_events(StackName="other-queue")["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert is_refused(reasons[-1], "stacks", "sqs:CreateQueue")


def test_a_session_works_on_no_stack_without_a_service_role(aws: LocalAws, as_role: Callable[..., Clients]) -> None:
    """What is refused changes nothing: no stack is left behind, and none has another template."""
    administrator, client = aws.client("cloudformation"), as_role(ANY_STACK, QUEUES)("cloudformation")
    alone = pytest.raises(ClientError, match="through a service role alone")
    with alone:
        client.create_stack(StackName="allowed-alone", TemplateBody=queue_template("allowed-alone"))
    with pytest.raises(ClientError, match="does not exist"):
        administrator.describe_stacks(StackName="allowed-alone")
    template = queue_template("allowed-before")
    administrator.create_stack(StackName="allowed-before", TemplateBody=template)
    ended_stack(aws, "allowed-before")
    with alone:
        client.update_stack(StackName="allowed-before", TemplateBody=queue_template("allowed-after"))
    with alone:
        client.delete_stack(StackName="allowed-before")
    assert ended_stack(aws, "allowed-before")["StackStatus"] == "CREATE_COMPLETE"
    assert administrator.get_template(StackName="allowed-before")["TemplateBody"] == json.loads(template)


def test_a_template_is_read_with_the_rights_of_who_asks_for_the_stack(
    aws: LocalAws, as_role: Callable[..., Clients]
) -> None:
    name = "allowed-template"
    service_role = aws.make_role("reads-templates", CLOUDFORMATION, QUEUES, *SERVICE_GRANTS)
    aws.client("s3").put_object(Bucket=BUCKET, Key="stack.json", Body=queue_template(name).encode())
    pass_role = allow("iam:PassRole", role_arn_of("reads-templates"))
    request = {
        "StackName": name,
        "TemplateURL": f"https://{BUCKET}.s3.us-east-1.amazonaws.com/stack.json",
        "RoleARN": service_role,
    }
    with pytest.raises(ClientError, match=r"S3 error: .* s3:GetObject"):
        as_role(ANY_STACK, pass_role)("cloudformation").create_stack(**request)
    reads = allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/stack.json")
    as_role(ANY_STACK, pass_role, reads)("cloudformation").create_stack(**request)
    assert ended_stack(aws, name)["StackStatus"] == "CREATE_COMPLETE"
