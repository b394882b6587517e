"""Stacks: what is made, what is refused, how a failure ends."""

import json
import time

import pytest
from botocore.exceptions import ClientError

FAST = {"Delay": 0.2, "MaxAttempts": 150}
ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def cf(localaws):
    return localaws.client("cloudformation")


def template(**resources):
    return json.dumps({"Resources": resources})


def parameter(name, value="1", **more):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}, **more}


def ended(cf, name):
    deadline = time.monotonic() + 30
    while (stack := cf.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"].endswith("_IN_PROGRESS"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return stack


def make(cf, name, body, **more):
    stack_id = cf.create_stack(StackName=name, TemplateBody=body, **more)["StackId"]
    return ended(cf, stack_id)


def reasons(cf, name):
    events = cf.describe_stack_events(StackName=name)["StackEvents"]
    return {e["LogicalResourceId"]: e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")}


def outputs(stack):
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


def test_functions_and_outputs(localaws, cf):
    body = """
Parameters:
  Days: {Type: CommaDelimitedList, Default: "mon, tue"}
  Mode: {Type: String, Default: fast, AllowedValues: [fast, slow]}
Mappings:
  Speeds: {fast: {kmh: "14"}, slow: {kmh: "9"}}
Conditions:
  Fast: !Equals [!Ref Mode, fast]
  Neither: !And [!Condition Fast, !Not [!Condition Fast]]
Resources:
  Text:
    Type: AWS::SSM::Parameter
    Properties:
      Name: !Join ["/", ["", !Ref AWS::StackName, text]]
      Type: String
      Value: !Sub
        - "${AWS::Region} ${Speed} ${!literal} ${Second}"
        - {Speed: !FindInMap [Speeds, !Ref Mode, kmh], Second: !Select [1, !Ref Days]}
      Description: !If [Fast, !Ref AWS::NoValue, slow]
  Never:
    Type: AWS::SNS::Topic
    Condition: Neither
  Queue: {Type: AWS::SQS::Queue}
Outputs:
  Value: {Value: !GetAtt Text.Value}
  QueueArn: {Value: !GetAtt Queue.Arn}
  Hidden: {Condition: Neither, Value: !Ref Never}
"""
    cf.create_stack(StackName="functions", TemplateBody=body, Tags=[{"Key": "owner", "Value": "coach"}])
    cf.get_waiter("stack_create_complete").wait(StackName="functions", WaiterConfig=FAST)
    stack = ended(cf, "functions")
    assert outputs(stack)["Value"] == "us-east-1 14 ${literal} tue"
    assert outputs(stack)["QueueArn"].startswith("arn:aws:sqs:us-east-1:123456789012:functions-Queue-")
    assert "Hidden" not in outputs(stack)
    assert stack["Tags"] == [{"Key": "owner", "Value": "coach"}]
    made = cf.describe_stack_resources(StackName="functions")["StackResources"]
    assert {r["LogicalResourceId"]: r["ResourceStatus"] for r in made} == {
        "Text": "CREATE_COMPLETE",
        "Queue": "CREATE_COMPLETE",
    }
    assert localaws.client("ssm").get_parameter(Name="/functions/text")["Parameter"]["Value"].startswith("us-east-1")
    cf.delete_stack(StackName="functions")
    cf.get_waiter("stack_delete_complete").wait(StackName="functions", WaiterConfig=FAST)
    assert localaws.client("sqs").list_queues(QueueNamePrefix="functions-").get("QueueUrls", []) == []


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({"Type": "AWS::Glue::Database", "Properties": {}}, "AWS::Glue::Database"),
        ({"Type": "Custom::Thing"}, "Custom::Thing"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"WebsiteConfiguration": {}}}, "WebsiteConfiguration"),
    ],
)
def test_what_is_not_supported_fails_the_stack_by_name(localaws, cf, resource, named):
    name = f"closed-{named.replace(':', '')}"
    stack = make(cf, name, template(First=parameter(f"/{name}"), Odd=resource))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert named in reasons(cf, name)["Odd"]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        localaws.client("ssm").get_parameter(Name=f"/{name}")
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        cf.update_stack(StackName=name, TemplateBody=template(First=parameter(f"/{name}")))


def failing(name):
    """The second resource asks for a name that is taken by the first."""
    return template(First=parameter(f"/{name}/one"), Second=parameter(f"/{name}/one", DependsOn="First"))


def test_a_failed_creation_deletes_what_it_made(localaws, cf):
    stack = make(cf, "rolls-back", failing("rolls-back"))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cf, "rolls-back")["Second"]
    assert localaws.client("ssm").get_parameters(Names=["/rolls-back/one"])["Parameters"] == []


@pytest.mark.parametrize("how", [{"OnFailure": "DO_NOTHING"}, {"DisableRollback": True}])
def test_a_failed_creation_can_be_left(localaws, cf, how):
    name = f"left-{'on' if 'OnFailure' in how else 'disabled'}"
    assert make(cf, name, failing(name), **how)["StackStatus"] == "CREATE_FAILED"
    assert len(localaws.client("ssm").get_parameters(Names=[f"/{name}/one"])["Parameters"]) == 1


def test_a_failed_creation_can_be_deleted(cf):
    stack = make(cf, "vanishes", failing("vanishes"), OnFailure="DELETE")
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        cf.describe_stacks(StackName="vanishes")


def test_a_name_that_is_taken_outside_of_the_stack_stays(localaws, cf):
    localaws.client("s3").create_bucket(Bucket="precious-bucket")
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "precious-bucket"}}
    assert make(cf, "takes", template(Bucket=bucket))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cf, "takes")["Bucket"]
    assert "precious-bucket" in [b["Name"] for b in localaws.client("s3").list_buckets()["Buckets"]]


def test_a_bucket_that_holds_something_keeps_the_stack(localaws, cf):
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full-bucket"}}
    stack = make(cf, "full", template(Bucket=bucket, Text=parameter("/full")))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(cf, "full")
    localaws.client("s3").put_object(Bucket="full-bucket", Key="a", Body=b"1")
    cf.delete_stack(StackName="full")
    assert ended(cf, "full")["StackStatus"] == "DELETE_FAILED"
    assert "Bucket" in reasons(cf, "full")
    localaws.client("s3").delete_object(Bucket="full-bucket", Key="a")
    cf.delete_stack(StackName="full")
    cf.get_waiter("stack_delete_complete").wait(StackName="full", WaiterConfig=FAST)
    assert "full-bucket" not in [b["Name"] for b in localaws.client("s3").list_buckets()["Buckets"]]


def test_retained_resources_stay(localaws, cf):
    stack = make(cf, "keeps", template(Text=parameter("/keeps", DeletionPolicy="Retain")))
    cf.delete_stack(StackName="keeps")
    assert ended(cf, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert localaws.client("ssm").get_parameter(Name="/keeps")["Parameter"]["Value"] == "1"


def test_iam_needs_a_capability(cf):
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "named", "AssumeRolePolicyDocument": ASSUME}}
    with pytest.raises(cf.exceptions.InsufficientCapabilitiesException, match="CAPABILITY_NAMED_IAM"):
        cf.create_stack(StackName="iam", TemplateBody=template(Role=role), Capabilities=["CAPABILITY_IAM"])
    stack = make(cf, "iam", template(Role=role), Capabilities=["CAPABILITY_NAMED_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_bad_requests(cf):
    def refused(match, body, **more):
        with pytest.raises(ClientError, match=match):
            cf.create_stack(StackName="refused", TemplateBody=body, **more)

    refused("not well-formed", "{")
    refused("At least one Resources member", "{}")
    a = parameter("/a", {"Ref": "B"})
    refused("Circular dependency", template(A=a, B=parameter("/b", {"Ref": "A"})))
    declared = {
        "Parameters": {"P": {"Type": "String", "AllowedPattern": "[a-z]+"}},
        "Resources": {"A": parameter("/a")},
    }
    given = [{"ParameterKey": "P", "ParameterValue": "A1"}]
    refused("Parameter 'P' failed to satisfy constraint", json.dumps(declared), Parameters=given)
    refused(r"Parameters: \[P\] must have values", json.dumps(declared))
    unknown = [*given, {"ParameterKey": "Q", "ParameterValue": "x"}]
    refused(r"\[Q\] do not exist in the template", json.dumps(declared), Parameters=unknown)
    with pytest.raises(ClientError, match="does not exist"):
        cf.describe_stacks(StackName="refused")


def test_a_stack_exists_once(cf):
    make(cf, "once", template(A=parameter("/once")))
    with pytest.raises(cf.exceptions.AlreadyExistsException):
        cf.create_stack(StackName="once", TemplateBody=template(A=parameter("/once2")))


def test_exports_are_imported_and_guarded(cf):
    exporting = json.loads(template(A=parameter("/exporting", "12")))
    exporting["Outputs"] = {"A": {"Value": {"Fn::GetAtt": ["A", "Value"]}, "Export": {"Name": "the-value"}}}
    make(cf, "exporting", json.dumps(exporting))
    importing = template(B=parameter("/importing", {"Fn::ImportValue": "the-value"}))
    assert make(cf, "importing", importing)["StackStatus"] == "CREATE_COMPLETE"
    assert cf.list_imports(ExportName="the-value")["Imports"] == ["importing"]
    with pytest.raises(ClientError, match="in use by importing"):
        cf.delete_stack(StackName="exporting")
    cf.delete_stack(StackName="importing")
    ended_id = ended(cf, "exporting")["StackId"]
    cf.delete_stack(StackName="exporting")
    assert ended(cf, ended_id)["StackStatus"] == "DELETE_COMPLETE"
    assert make(cf, "orphan", importing)["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_template_from_s3(localaws, cf):
    s3 = localaws.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="code/one.json", Body=template(A=parameter("/from-s3")).encode())
    for number, url in enumerate(
        (
            "https://templates.s3.us-east-1.amazonaws.com/code/one.json",
            "https://templates.s3.amazonaws.com/code/one.json",
            "https://s3.amazonaws.com/templates/code/one.json",
        )
    ):
        cf.create_stack(StackName=f"from-s3-{number}", TemplateURL=url)
        assert ended(cf, f"from-s3-{number}")["StackStatus"] == "CREATE_COMPLETE"
        cf.delete_stack(StackName=f"from-s3-{number}")
    with pytest.raises(ClientError, match="S3 error"):
        cf.create_stack(StackName="from-s3-x", TemplateURL="https://templates.s3.amazonaws.com/none.json")


def test_an_endpoint_that_does_not_come_up_fails_the_stack(localaws, cf):
    localaws.client("s3").create_bucket(Bucket="models")
    localaws.client("s3").put_object(Bucket="models", Key="model.tar.gz", Body=b"no archive")
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    model = {
        "ExecutionRoleArn": localaws.make_role("sagemaker"),
        "PrimaryContainer": {"Image": image, "ModelDataUrl": "s3://models/model.tar.gz"},
    }
    variant = {
        "VariantName": "all",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    endpoint = {"EndpointName": "never-up", "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}}
    body = template(
        Model={"Type": "AWS::SageMaker::Model", "Properties": model},
        Config={"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        Endpoint={"Type": "AWS::SageMaker::Endpoint", "Properties": endpoint},
    )
    assert make(cf, "never-up", body)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "never-up failed" in reasons(cf, "never-up")["Endpoint"]
    sagemaker = localaws.client("sagemaker")
    assert sagemaker.list_models(NameContains="never-up")["Models"] == []
    assert sagemaker.list_endpoints(NameContains="never-up")["Endpoints"] == []


def test_an_action_that_is_not_there_is_a_clean_400(cf):
    with pytest.raises(ClientError, match="DetectStackDrift is not supported") as error:
        cf.detect_stack_drift(StackName="once")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_stacks_and_their_rollback_survive_a_restart(localaws, cf):
    make(cf, "lasting", template(A=parameter("/lasting", "1")))
    time.sleep(1)
    localaws.stop()
    localaws.start()
    assert ended(cf, "lasting")["StackStatus"] == "CREATE_COMPLETE"
    cf.update_stack(StackName="lasting", TemplateBody=template(A=parameter("/lasting", "2")))
    cf.get_waiter("stack_update_complete").wait(StackName="lasting", WaiterConfig=FAST)
    assert localaws.client("ssm").get_parameter(Name="/lasting")["Parameter"]["Value"] == "2"
