"""The templates: lint, names, least privilege, and that they say what code and specification say."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.deploy.project import stack_parameters
from include.deploy.release import STACKS, public_specification, specification, stack_template
from include.features import schema
from include.settings import Settings
from tests.stacks.templates import FOLDER, NAMES, load, template

SETTINGS = Settings(project="garmin-forecast", account_id="123456789012", region="us-east-1")
GROUP, ENDPOINT = "AWS::SageMaker::FeatureGroup", "AWS::SageMaker::Endpoint"
NO_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}
"""Actions that AWS defines no resources for."""


def roles() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in NAMES:
        for logical_id, resource in template(name)["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                yield f"{name}.{logical_id}", resource["Properties"]


def policies() -> Iterator[tuple[str, dict[str, Any]]]:
    for role, properties in roles():
        assert "ManagedPolicyArns" not in properties, f"{role}: managed policies allow more than we need"
        for policy in properties["Policies"]:
            yield role, policy["PolicyDocument"]
    for name in NAMES:
        for logical_id, resource in template(name)["Resources"].items():
            if resource["Type"] == "AWS::IAM::Policy":
                yield f"{name}.{logical_id}", resource["Properties"]["PolicyDocument"]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for role, document in policies():
        for statement in document["Statement"]:
            yield role, statement


def statements_of(role: str) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for found, statement in statements() if found == role}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_released_templates_are_clean(tmp_path: Path) -> None:
    for name in STACKS:
        (tmp_path / f"{name}.yaml").write_text(stack_template(name))
    cfn_lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([cfn_lint, *tmp_path.glob("*.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_budget_is_clean_where_it_is_deployed() -> None:
    cfn_lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run(
        [cfn_lint, "-r", "us-east-1", "-t", FOLDER / "budget.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_serving_stack_names_no_type_that_a_region_with_a_feature_store_lacks() -> None:
    """CloudFormation refuses a template that names a type which its region lacks, even under a condition."""
    from cfnlint.helpers import REGIONS
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as SCHEMAS

    usable = [r for r in REGIONS if {GROUP, ENDPOINT} <= set(SCHEMAS.get_resource_types(r))]
    assert len(usable) > 25
    types = {resource["Type"] for resource in template("serving")["Resources"].values()}
    for region in usable:
        lacking = types - set(SCHEMAS.get_resource_types(region))
        assert not lacking, f"{region} lacks {lacking}"


def test_every_allowed_action_is_written_out() -> None:
    for role, statement in statements():
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z0-9]+", action), f"{role}: {action}"


OURS = ("${Project}", "${BucketName}", "${FeatureGroupName}", "${ImageAccount}", "log-group:/aws/sagemaker/")
NETWORK = ("network-interface/*", "subnet/*", "security-group/*")
"""SageMaker makes and names the network interfaces of a job, so they cannot be ours by name."""
OWN_REFERENCES = (
    {"Ref": "ModelRoleArn"},
    {"Ref": "JobRoleArn"},
    {"Fn::GetAtt": ["Undelivered", "Arn"]},
    {"Fn::GetAtt": ["EndpointStackRole", "Arn"]},
)


def test_every_resource_is_one_of_ours() -> None:
    found = 0
    for role, statement in statements():
        for resource in listed(statement["Resource"]):
            found += 1
            if resource == "*":
                assert set(listed(statement["Action"])) <= NO_RESOURCE, f"{role}: {statement}"
            elif str(resource.get("Fn::Sub")).endswith(":log-group:*"):
                assert statement["Action"] == "logs:DescribeLogGroups", f"{role}: {statement}"
            elif resource not in OWN_REFERENCES:
                in_vpc = role == "ml.JobsInVpcPolicy" and resource["Fn::Sub"].endswith(NETWORK)
                assert in_vpc or any(name in resource["Fn::Sub"] for name in OURS), f"{role}: {resource}"
    assert found > 30


def test_a_role_is_passed_only_to_the_service_that_needs_it() -> None:
    passes = [(role, s) for role, s in statements() if "iam:PassRole" in listed(s["Action"])]
    assert len(passes) == 2
    for role, statement in passes:
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"] in (
            "sagemaker.amazonaws.com",
            "cloudformation.amazonaws.com",
        ), role
        assert statement["Resource"] != "*"


def test_parameters_are_pascal_case_and_guarded() -> None:
    for name in NAMES:
        for parameter, said in template(name)["Parameters"].items():
            assert re.fullmatch(r"([A-Z][a-z0-9]*)+", parameter), f"{name}.{parameter}"
            guarded = {"AllowedPattern", "AllowedValues", "MinValue"} & set(said)
            assert guarded, f"{name}.{parameter} takes anything"


def test_defaults_fit_their_own_patterns() -> None:
    for name in NAMES:
        for parameter, said in template(name)["Parameters"].items():
            if "AllowedPattern" in said and "Default" in said:
                assert re.fullmatch(said["AllowedPattern"], said["Default"]), f"{name}.{parameter}"


@pytest.mark.parametrize("name", ["data", "features", "ml", "serving"])
def test_the_settings_give_every_parameter_that_has_no_default(name: str) -> None:
    declared = template(name)["Parameters"]
    given = stack_parameters(SETTINGS, name, "0123456789abcdef")
    assert set(given) <= set(declared)
    assert {key for key, said in declared.items() if "Default" not in said} <= set(given)
    for key, value in given.items():
        assert re.fullmatch(declared[key].get("AllowedPattern", ".*"), value), key


def test_the_feature_group_is_that_of_the_schema() -> None:
    group = template("features")["Resources"]["AthleteDay"]["Properties"]
    expected = [
        {"FeatureName": name, "FeatureType": "String" if name in schema.TEXT_COLUMNS else "Fractional"}
        for name in schema.COLUMNS
    ]
    assert group["FeatureDefinitions"] == expected
    assert group["RecordIdentifierFeatureName"] == schema.RECORD_ID
    assert group["EventTimeFeatureName"] == schema.EVENT_TIME


def test_names_are_those_of_the_settings() -> None:
    def sub(text: str) -> str:
        return text.replace("${Project}", SETTINGS.project)

    assert (
        sub(template("ml")["Resources"]["JobRole"]["Properties"]["RoleName"]["Fn::Sub"])
        == SETTINGS.job_role_arn.split("/")[1]
    )
    assert (
        sub(template("ml")["Resources"]["ModelRole"]["Properties"]["RoleName"]["Fn::Sub"])
        == SETTINGS.model_role_arn.split("/")[1]
    )
    group = template("ml")["Resources"]["ModelPackageGroup"]["Properties"]["ModelPackageGroupName"]["Fn::Sub"]
    assert sub(group) == SETTINGS.model_package_group
    condition, serverless, instance = template("endpoint")["Resources"]["Endpoint"]["Properties"]["EndpointName"][
        "Fn::If"
    ]
    assert condition == "IsServerless"
    assert sub(instance["Fn::Sub"]) == SETTINGS.endpoint
    assert sub(serverless["Fn::Sub"]) == f"{SETTINGS.endpoint}-serverless"


def test_sagemaker_takes_the_roles_of_jobs_and_model_for_this_account_alone() -> None:
    for logical_id in ("JobRole", "ModelRole"):
        (trust,) = template("ml")["Resources"][logical_id]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert trust["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":${AWS::AccountId}:*")


def test_the_model_reads_models_and_writes_nothing_but_logs_and_metrics() -> None:
    allowed = {action for s in statements_of("ml.ModelRole").values() for action in listed(s["Action"])}
    assert {action for action in allowed if action.startswith("s3:")} == {"s3:GetObject"}
    assert statements_of("ml.ModelRole")["ReadModel"]["Resource"]["Fn::Sub"].endswith(":${BucketName}/models/*")
    assert {action.split(":")[0] for action in allowed} == {"s3", "logs", "cloudwatch", "ecr"}


def test_jobs_and_model_touch_buckets_of_this_account_alone() -> None:
    for role in ("ml.JobRole", "ml.ModelRole"):
        for statement in statements_of(role).values():
            if any(action.startswith("s3:") for action in listed(statement["Action"])):
                assert statement["Condition"]["StringEquals"] == {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}


def test_network_interfaces_are_made_only_by_jobs_in_subnets_of_ours() -> None:
    policy = template("ml")["Resources"]["JobsInVpcPolicy"]
    assert policy["Condition"] == "HasVpc" and policy["Properties"]["Roles"] == [{"Ref": "JobRole"}]
    assert not any("ec2:" in str(s["Action"]) for role, s in statements() if role != "ml.JobsInVpcPolicy")
    in_vpc = Settings(account_id="123456789012", region="us-east-1", job_subnets="subnet-1, subnet-2")
    assert in_vpc.job_subnets == ("subnet-1", "subnet-2")
    assert stack_parameters(in_vpc, "ml")["JobsInVpc"] == "true"
    assert stack_parameters(SETTINGS, "ml")["JobsInVpc"] == "false"


def test_only_pages_of_checks_staged_rows_and_old_versions_expire() -> None:
    rules = template("data")["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule} == {
        "quality/": {"Ref": "QualityDays"},
        "state/features/staged/": 7,
    }
    assert template("data")["Parameters"]["QualityDays"]["Default"] == 90
    assert [rule["Id"] for rule in rules if "NoncurrentVersionExpiration" in rule] == ["forget-old-versions"]


def test_a_template_holds_no_aliases() -> None:
    for name in NAMES:
        tokens = yaml.scan((FOLDER / f"{name}.yaml").read_text())
        assert not any(isinstance(token, yaml.AliasToken) for token in tokens), f"{name}: CloudFormation refuses them"


def test_the_bucket_is_private_encrypted_and_versioned() -> None:
    resources = template("data")["Resources"]
    bucket = resources["Bucket"]["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    (statement,) = resources["TlsOnly"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_api_is_the_specification_and_a_change_of_it_a_new_deployment() -> None:
    resources = load(stack_template("serving"))["Resources"]
    assert resources["Api"]["Properties"]["Body"] == json.loads(json.dumps(specification()))
    (deployment,) = [name for name, r in resources.items() if r["Type"] == "AWS::ApiGateway::Deployment"]
    assert re.fullmatch(r"ApiDeployment[0-9a-f]{10}", deployment)
    assert resources["Stage"]["Properties"]["DeploymentId"] == {"Ref": deployment}


def test_a_changed_specification_renames_the_deployment(tmp_path: Path) -> None:
    for name in ("infra/stacks/serving.yaml", "include/serving/openapi.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(Path(name).read_text())
    spec = tmp_path / "include/serving/openapi.yaml"
    before = stack_template("serving", tmp_path)
    assert before == stack_template("serving", tmp_path)
    spec.write_text(spec.read_text().replace("title: Fitness forecast", "title: Fitness"))
    names = [re.findall(r"ApiDeployment\w{10}", text)[0] for text in (before, stack_template("serving", tmp_path))]
    assert names[0] != names[1]


def serving_functions() -> dict[str, dict[str, Any]]:
    resources = template("serving")["Resources"]
    return {n: r["Properties"] for n, r in resources.items() if r["Type"] == "AWS::Lambda::Function"}


def test_each_rule_may_call_its_function_and_no_other_projects_rule_may() -> None:
    resources = template("serving")["Resources"]
    permitted = {
        (p["Properties"]["FunctionName"]["Ref"], p["Properties"]["SourceArn"]["Fn::GetAtt"][0]): p.get("Condition")
        for p in resources.values()
        if p["Type"] == "AWS::Lambda::Permission" and p["Properties"]["Principal"] == "events.amazonaws.com"
    }
    rules = {name: rule for name, rule in resources.items() if rule["Type"] == "AWS::Events::Rule"}
    wanted = {
        (target["Arn"]["Fn::GetAtt"][0], name): rule.get("Condition")
        for name, rule in rules.items()
        for target in rule["Properties"]["Targets"]
    }
    assert permitted == wanted
    assert len(rules) == 5


def test_the_endpoints_choices_reach_the_start_lambda() -> None:
    variables = serving_functions()["StartFunction"]["Environment"]["Variables"]
    choices = {
        "ENDPOINT_MODE": "EndpointMode",
        "ENDPOINT_INSTANCE_TYPE": "EndpointInstanceType",
        "ENDPOINT_INSTANCE_COUNT": "EndpointInstanceCount",
        "ENDPOINT_MEMORY_MB": "EndpointMemoryMb",
        "ENDPOINT_MAX_CONCURRENCY": "EndpointMaxConcurrency",
        "MODEL_ROLE_ARN": "ModelRoleArn",
        "FEATURE_GROUP": "FeatureGroupName",
    }
    assert {name: variables[name] for name in choices} == {name: {"Ref": p} for name, p in choices.items()}
    assert template("serving")["Parameters"]["EndpointInstanceType"]["Default"] == "ml.t2.medium"


def test_every_lambda_knows_whose_bucket_is_read() -> None:
    for name, function in serving_functions().items():
        assert function["Environment"]["Variables"]["ACCOUNT_ID"] == {"Ref": "AWS::AccountId"}, name


def test_every_log_group_has_a_retention() -> None:
    found = [r for name in NAMES for r in template(name)["Resources"].values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(found) >= 4
    assert all("RetentionInDays" in group["Properties"] for group in found)


def test_the_api_has_limits_that_no_caller_can_pass() -> None:
    resources, parameters = template("serving")["Resources"], template("serving")["Parameters"]
    (everything,) = resources["Stage"]["Properties"]["MethodSettings"]
    assert (everything["ResourcePath"], everything["HttpMethod"]) == ("/*", "*")
    plan = resources["UsagePlan"]["Properties"]
    used = {
        "StageRateLimit": everything["ThrottlingRateLimit"],
        "StageBurstLimit": everything["ThrottlingBurstLimit"],
        "RateLimit": plan["Throttle"]["RateLimit"],
        "BurstLimit": plan["Throttle"]["BurstLimit"],
        "DailyQuota": plan["Quota"]["Limit"],
    }
    assert used == {name: {"Ref": name} for name in used}
    assert plan["Quota"]["Period"] == "DAY"
    defaults = {name: parameters[name]["Default"] for name in used}
    assert defaults == {
        "StageRateLimit": 20,
        "StageBurstLimit": 40,
        "RateLimit": 5,
        "BurstLimit": 20,
        "DailyQuota": 20_000,
    }


def test_the_access_log_names_neither_athlete_nor_key() -> None:
    (_, settings, _) = template("serving")["Resources"]["Stage"]["Properties"]["AccessLogSetting"]["Fn::If"]
    variables = set(re.findall(r"\$context\.([A-Za-z.]+)", settings["Format"]))
    assert variables == {
        "requestId",
        "requestTimeEpoch",
        "httpMethod",
        "resourcePath",
        "status",
        "responseLatency",
        "identity.apiKeyId",
        "error.responseType",
    }
    assert "\n" not in settings["Format"].strip()


@pytest.mark.parametrize("project", ["aws-forecast", "ssm-forecast", "awsome", "ab", "Upper", "a" * 26])
def test_a_project_whose_names_aws_refuses_is_refused(project: str) -> None:
    assert not re.fullmatch(template("serving")["Parameters"]["Project"]["AllowedPattern"], project)


def test_the_settings_choose_the_apis_limits_or_leave_them_to_the_stack() -> None:
    limits = {"StageRateLimit", "StageBurstLimit", "RateLimit", "BurstLimit", "DailyQuota"}
    assert not limits & set(stack_parameters(SETTINGS, "serving", "0123456789abcdef"))
    chosen = Settings(project="p-1", account_id="123456789012", api_rate_limit=7, api_daily_quota=9)
    given = stack_parameters(chosen, "serving", "0123456789abcdef")
    assert {name: given[name] for name in limits & set(given)} == {"RateLimit": "7", "DailyQuota": "9"}


def test_every_route_but_page_health_and_specification_needs_a_key() -> None:
    for path, methods in specification()["paths"].items():
        for method, operation in methods.items():
            open_to_all = path in ("/", "/health", "/openapi.json")
            assert ("security" in operation) != open_to_all, f"{method} {path}"
            assert operation["x-amazon-apigateway-integration"]["type"] == "aws_proxy"


def test_gateway_responses_are_problems() -> None:
    for name, response in specification()["x-amazon-apigateway-gateway-responses"].items():
        (text,) = response["responseTemplates"].values()
        filled = text.replace("$context.error.messageString", '"why"').replace("$context.requestId", "r")
        problem = json.loads(filled)
        assert {"type", "title", "detail", "request_id"} <= set(problem), name
        if "statusCode" in response:
            assert problem["status"] == int(response["statusCode"]), name
        assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"


def test_the_public_specification_holds_nothing_of_the_gateway() -> None:
    public = json.dumps(public_specification(specification()))
    assert "x-amazon" not in public and "Fn::Sub" not in public
    assert set(public_specification(specification())["paths"]) == set(specification()["paths"])
