"""Updates, replacements, rollbacks of updates, and change sets."""

import json

import pytest
from botocore.exceptions import ClientError
from test_cloudformation import ASSUME, FAST, ended, make, outputs, parameter, reasons, template

INVOCATIONS = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"


@pytest.fixture(scope="module")
def cf(localaws):
    return localaws.client("cloudformation")


@pytest.fixture(scope="module")
def ssm(localaws):
    client = localaws.client("ssm")
    return lambda name: client.get_parameter(Name=name)["Parameter"]["Value"]


def update(cf, name, body, **more):
    cf.update_stack(StackName=name, TemplateBody=body, **more)
    return ended(cf, name)


def physical(cf, stack, logical):
    return cf.describe_stack_resource(StackName=stack, LogicalResourceId=logical)["StackResourceDetail"][
        "PhysicalResourceId"
    ]


def test_no_updates(cf):
    body = template(A=parameter("/no-updates"))
    make(cf, "no-updates", body)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cf.update_stack(StackName="no-updates", TemplateBody=body)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cf.update_stack(StackName="no-updates", TemplateBody=json.dumps(json.loads(body), indent=3))
    assert ended(cf, "no-updates")["StackStatus"] == "CREATE_COMPLETE"


def test_use_previous_value_and_template(cf, ssm):
    body = json.loads(template(A=parameter("/previous", {"Fn::Sub": "${P}-${Q}"})))
    body["Parameters"] = {"P": {"Type": "String"}, "Q": {"Type": "String", "Default": "q"}}
    make(cf, "previous", json.dumps(body), Parameters=[{"ParameterKey": "P", "ParameterValue": "p"}])
    cf.update_stack(
        StackName="previous",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "P", "UsePreviousValue": True}, {"ParameterKey": "Q", "ParameterValue": "z"}],
    )
    cf.get_waiter("stack_update_complete").wait(StackName="previous", WaiterConfig=FAST)
    assert ssm("/previous") == "p-z"


def test_added_changed_replaced_and_removed(localaws, cf, ssm):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "one"}}
    refers = parameter("/refers", {"Fn::GetAtt": ["Queue", "QueueName"]})
    make(cf, "changing", template(Queue=queue, Refers=refers, Gone=parameter("/gone")))
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "two"}}
    stack = update(cf, "changing", template(Queue=queue, Refers=refers, New=parameter("/new")))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert ssm("/refers") == "two", "what refers to a replaced resource follows it"
    assert ssm("/new") == "1"
    names = [url.rsplit("/", 1)[1] for url in localaws.client("sqs").list_queues()["QueueUrls"]]
    assert "two" in names and "one" not in names
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm("/gone")


def test_a_failed_update_goes_back(localaws, cf, ssm):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stays", "VisibilityTimeout": 11}}
    make(cf, "goes-back", template(A=parameter("/goes-back", "old"), Queue=queue))
    old_queue = physical(cf, "goes-back", "Queue")
    renamed = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "never"}}
    body = template(
        A=parameter("/goes-back", "new"),
        Queue=renamed,
        New=parameter("/goes-back/new"),
        Bad=parameter("/goes-back/new", DependsOn=["A", "Queue", "New"]),
    )
    stack = update(cf, "goes-back", body)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cf, "goes-back")["Bad"]
    assert ssm("/goes-back") == "old"
    assert physical(cf, "goes-back", "Queue") == old_queue
    names = [url.rsplit("/", 1)[1] for url in localaws.client("sqs").list_queues()["QueueUrls"]]
    assert "stays" in names and "never" not in names
    assert {r["LogicalResourceId"] for r in cf.describe_stack_resources(StackName="goes-back")["StackResources"]} == {
        "A",
        "Queue",
    }
    assert cf.get_template(StackName="goes-back")["TemplateBody"]["Resources"].keys() == {"A", "Queue"}
    assert update(cf, "goes-back", template(A=parameter("/goes-back", "newer")))["StackStatus"] == "UPDATE_COMPLETE"


def test_an_unsupported_type_in_an_update_touches_nothing(cf, ssm):
    make(cf, "closed-update", template(A=parameter("/closed-update", "old")))
    body = template(A=parameter("/closed-update", "new"), Odd={"Type": "AWS::Cognito::UserPool"})
    assert update(cf, "closed-update", body)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "AWS::Cognito::UserPool" in reasons(cf, "closed-update")["Odd"]
    assert ssm("/closed-update") == "old"


def test_a_custom_named_resource_is_not_replaced(cf):
    group = {
        "Type": "AWS::SageMaker::ModelPackageGroup",
        "Properties": {"ModelPackageGroupName": "named", "ModelPackageGroupDescription": "a"},
    }
    make(cf, "custom-named", template(Group=group))
    group["Properties"]["ModelPackageGroupDescription"] = "b"
    assert update(cf, "custom-named", template(Group=group))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "custom-named resource requires replacing" in reasons(cf, "custom-named")["Group"]


def test_roles_and_functions_change_in_place(localaws, cf):
    def body(code, action, variables):
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        role = {
            "AssumeRolePolicyDocument": ASSUME,
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}],
        }
        function = {
            "FunctionName": "in-place",
            "Handler": "index.handler",
            "Runtime": "python3.12",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": code},
            "Environment": {"Variables": variables},
        }
        permission = {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "F"},
            "Principal": "events.amazonaws.com",
        }
        return template(
            Role={"Type": "AWS::IAM::Role", "Properties": role},
            F={"Type": "AWS::Lambda::Function", "Properties": function},
            Permission={"Type": "AWS::Lambda::Permission", "Properties": permission},
        )

    named = {"Capabilities": ["CAPABILITY_IAM"]}
    code = "def handler(event, context):\n    return {}\n"
    make(cf, "in-place", body(code.format(1), "s3:GetObject", {"A": "1"}), **named)
    role = physical(cf, "in-place", "Role")
    before = localaws.client("lambda").get_function(FunctionName="in-place")["Configuration"]
    stack = update(cf, "in-place", body(code.format(2), "s3:PutObject", {"A": "2"}), **named)
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    after = localaws.client("lambda").get_function(FunctionName="in-place")["Configuration"]
    assert after["CodeSha256"] != before["CodeSha256"]
    assert after["Environment"]["Variables"] == {"A": "2"}
    assert physical(cf, "in-place", "Role") == role
    policy = localaws.client("iam").get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == "s3:PutObject"
    statements = json.loads(localaws.client("lambda").get_policy(FunctionName="in-place")["Policy"])["Statement"]
    assert [s["Sid"] for s in statements] == [physical(cf, "in-place", "Permission")]


def test_a_rest_api_by_body(localaws, cf):
    def body(title_path):
        api = {
            "openapi": "3.0.1",
            "info": {"title": "forecasts", "version": "1"},
            "paths": {
                title_path: {
                    "get": {
                        "responses": {"200": {"description": "ok"}},
                        "x-amazon-apigateway-integration": {
                            "type": "aws_proxy",
                            "httpMethod": "POST",
                            "uri": {"Fn::Sub": INVOCATIONS},
                        },
                    }
                }
            },
        }
        made = json.loads(
            template(
                Role={"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ASSUME}},
                F={
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Handler": "index.handler",
                        "Runtime": "python3.12",
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Code": {"ZipFile": "def handler(event, context):\n    return {}\n"},
                    },
                },
                Api={"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "forecasts", "Body": api}},
                Deployment={"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
                Stage={
                    "Type": "AWS::ApiGateway::Stage",
                    "Properties": {
                        "RestApiId": {"Ref": "Api"},
                        "DeploymentId": {"Ref": "Deployment"},
                        "StageName": "v1",
                    },
                },
                Key={"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": "all", "Enabled": True}},
                Plan={
                    "Type": "AWS::ApiGateway::UsagePlan",
                    "Properties": {
                        "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}],
                        "Throttle": {"RateLimit": 5, "BurstLimit": 10},
                    },
                },
                PlanKey={
                    "Type": "AWS::ApiGateway::UsagePlanKey",
                    "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
                },
            )
        )
        made["Outputs"] = {
            "Api": {"Value": {"Ref": "Api"}},
            "Root": {"Value": {"Fn::GetAtt": ["Api", "RootResourceId"]}},
        }
        return json.dumps(made)

    gateway = localaws.client("apigateway")
    stack = make(cf, "api", body("/health"), Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(cf, "api")
    api = outputs(stack)["Api"]
    assert outputs(stack)["Root"]
    assert {r["path"] for r in gateway.get_resources(restApiId=api)["items"]} == {"/", "/health"}
    keys = gateway.get_usage_plan_keys(usagePlanId=physical(cf, "api", "Plan"))["items"]
    assert [key["id"] for key in keys] == [physical(cf, "api", "Key")]
    stack = update(cf, "api", body("/model"), Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(cf, "api")
    assert outputs(stack)["Api"] == api, "the API is changed in place"
    assert {r["path"] for r in gateway.get_resources(restApiId=api)["items"]} == {"/", "/model"}
    cf.delete_stack(StackName="api")
    cf.get_waiter("stack_delete_complete").wait(StackName="api", WaiterConfig=FAST)
    assert api not in [a["id"] for a in gateway.get_rest_apis()["items"]]


def propose(cf, stack, body, name="proposal", **more):
    made = cf.create_change_set(StackName=stack, ChangeSetName=name, TemplateBody=body, **more)
    return cf.describe_change_set(ChangeSetName=made["Id"])


def test_a_change_set_makes_a_new_stack(cf, ssm):
    proposed = propose(cf, "reviewed", template(A=parameter("/reviewed")), ChangeSetType="CREATE")
    cf.get_waiter("change_set_create_complete").wait(ChangeSetName=proposed["ChangeSetId"], WaiterConfig=FAST)
    assert ended_review(cf) == "REVIEW_IN_PROGRESS"
    change = proposed["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["LogicalResourceId"]) == ("Add", "A")
    cf.execute_change_set(ChangeSetName="proposal", StackName="reviewed")
    cf.get_waiter("stack_create_complete").wait(StackName="reviewed", WaiterConfig=FAST)
    assert ssm("/reviewed") == "1"
    with pytest.raises(cf.exceptions.InvalidChangeSetStatusException):
        cf.execute_change_set(ChangeSetName="proposal", StackName="reviewed")


def ended_review(cf):
    return cf.describe_stacks(StackName="reviewed")["Stacks"][0]["StackStatus"]


def test_a_change_set_updates_a_stack(cf, ssm):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "cs-one"}}
    make(cf, "proposed", template(A=parameter("/proposed", "1"), Queue=queue, Gone=parameter("/proposed/gone")))
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "cs-two"}}
    proposed = propose(cf, "proposed", template(A=parameter("/proposed", "2"), Queue=queue))
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in proposed["Changes"]}
    assert {name: (c["Action"], c.get("Replacement")) for name, c in changes.items()} == {
        "A": ("Modify", "False"),
        "Queue": ("Modify", "True"),
        "Gone": ("Remove", None),
    }
    assert changes["A"]["Details"][0]["Target"]["Name"] == "Value"
    assert ssm("/proposed") == "1", "nothing happens before it is executed"
    assert [s["StackName"] for s in cf.describe_stacks()["Stacks"]].count("proposed") == 1
    cf.execute_change_set(ChangeSetName="proposal", StackName="proposed")
    cf.get_waiter("stack_update_complete").wait(StackName="proposed", WaiterConfig=FAST)
    assert ssm("/proposed") == "2"


def test_a_change_set_without_changes_fails(cf):
    body = template(A=parameter("/same"))
    make(cf, "same", body)
    proposed = propose(cf, "same", body, "nothing")
    assert (proposed["Status"], proposed["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert proposed["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="cannot be executed"):
        cf.execute_change_set(ChangeSetName="nothing", StackName="same")
    cf.delete_change_set(ChangeSetName="nothing", StackName="same")
    with pytest.raises(cf.exceptions.ChangeSetNotFoundException):
        cf.describe_change_set(ChangeSetName="nothing", StackName="same")


def test_change_sets_of_the_wrong_kind(cf):
    with pytest.raises(ClientError, match="does not exist"):
        propose(cf, "nowhere", template(A=parameter("/nowhere")))
    make(cf, "there", template(A=parameter("/there")))
    with pytest.raises(cf.exceptions.AlreadyExistsException):
        propose(cf, "there", template(A=parameter("/there", "2")), ChangeSetType="CREATE")


def test_a_failing_change_set_rolls_back(cf):
    body = template(A=parameter("/cs-bad"), B=parameter("/cs-bad", DependsOn="A"))
    propose(cf, "cs-bad", body, ChangeSetType="CREATE")
    cf.execute_change_set(ChangeSetName="proposal", StackName="cs-bad")
    assert ended(cf, "cs-bad")["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = cf.describe_change_set(ChangeSetName="proposal", StackName="cs-bad")
    assert failed["ExecutionStatus"] == "EXECUTE_FAILED"
