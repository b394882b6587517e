"""Deployments against local AWS: create, update, no changes, failures with their reason, deletion; and the command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.stub import Stubber

from include.deploy import project
from include.deploy.release import ROOT
from include.deploy.stack import StackFailed, StackResult, delete_stack, deploy_stack, find_stack
from include.settings import Settings
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(120)


def topic(name: str, **parameters: Any) -> str:
    """A template of one parameter store value, which fails where the value is empty."""
    resource = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": f"/t/{name}", "Type": "String", "Value": {"Ref": "Value"}},
    }
    return json.dumps(
        {
            "Parameters": {"Value": {"Type": "String"}, "Other": {"Type": "String", "Default": "d"}},
            "Resources": {"Kept": resource, **parameters},
            "Outputs": {"Value": {"Value": {"Ref": "Value"}}, "Other": {"Value": {"Ref": "Other"}}},
        }
    )


BROKEN = {
    "Broken": {
        "Type": "AWS::Lambda::Function",
        "DependsOn": "Kept",
        "Properties": {
            "Code": {"S3Bucket": "there-is-no-such-bucket", "S3Key": "x.zip"},
            "Handler": "a.b",
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::123456789012:role/none",
        },
    }
}


def test_create_update_and_nothing_to_change(localaws: LocalAws) -> None:
    cloudformation, lines = localaws.client("cloudformation"), list[str]()
    made = deploy_stack(
        cloudformation, "one", {"Value": "a", "Other": "o"}, template_body=topic("one"), on_progress=lines.append
    )
    assert made == StackResult({"Value": "a", "Other": "o"}, changed=True)
    assert any("Kept CREATE_COMPLETE" in line for line in lines)
    again = deploy_stack(cloudformation, "one", {"Value": "a", "Other": "o"}, template_body=topic("one"))
    assert again == StackResult({"Value": "a", "Other": "o"}, changed=False)
    changed = deploy_stack(cloudformation, "one", {"Value": "b"}, template_body=topic("one"))
    assert changed == StackResult({"Value": "b", "Other": "o"}, changed=True), "what is not given keeps its value"
    assert cloudformation.list_change_sets(StackName="one")["Summaries"] == [] or all(
        s["Status"] != "FAILED" for s in cloudformation.list_change_sets(StackName="one")["Summaries"]
    ), "a change set without changes is not left behind"


def test_a_new_default_takes_effect_but_not_over_what_was_given(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    deploy_stack(cloudformation, "defaults", {"Value": "a"}, template_body=topic("defaults"))
    newer = topic("defaults").replace('"Default": "d"', '"Default": "e"')
    assert deploy_stack(cloudformation, "defaults", {"Value": "a"}, template_body=newer).outputs["Other"] == "e"
    deploy_stack(cloudformation, "defaults", {"Value": "a", "Other": "mine"}, template_body=newer)
    assert deploy_stack(cloudformation, "defaults", {"Value": "b"}, template_body=topic("defaults")).outputs == {
        "Value": "b",
        "Other": "mine",
    }


def test_a_failed_creation_tells_why_and_does_not_stand_in_the_way(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    with pytest.raises(StackFailed, match=r"stack two is ROLLBACK_COMPLETE: Broken \(AWS::Lambda::Function\): .+"):
        deploy_stack(cloudformation, "two", {"Value": "a"}, template_body=topic("two", **BROKEN))
    assert deploy_stack(cloudformation, "two", {"Value": "a"}, template_body=topic("two")).changed


def test_a_failed_update_leaves_what_was(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    deploy_stack(cloudformation, "three", {"Value": "a"}, template_body=topic("three"))
    with pytest.raises(StackFailed, match="UPDATE_ROLLBACK_COMPLETE: Broken"):
        deploy_stack(cloudformation, "three", {"Value": "b"}, template_body=topic("three", **BROKEN))
    stored = localaws.client("ssm").get_parameter(Name="/t/three")["Parameter"]["Value"]
    assert stored == "a"


def test_a_refused_template_is_one_line(localaws: LocalAws) -> None:
    with pytest.raises(StackFailed, match="stack four: "):
        deploy_stack(localaws.client("cloudformation"), "four", {}, template_body="{}")
    with pytest.raises(StackFailed, match="stack four: "):
        deploy_stack(localaws.client("cloudformation"), "four", {"Nope": "x"}, template_body=topic("four"))


def test_deletion(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    deploy_stack(cloudformation, "five", {"Value": "a"}, template_body=topic("five"))
    assert delete_stack(cloudformation, "five")
    assert find_stack(cloudformation, "five") is None
    assert not delete_stack(cloudformation, "five")


def stacks_role(localaws: LocalAws, name: str) -> str:
    """A role by which CloudFormation may make parameters; its ARN."""
    iam = localaws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    allowed = {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="ssm", PolicyDocument=document)
    return str(made["Role"]["Arn"])


def test_a_stack_is_made_by_the_role_given_and_carries_the_tags_given(localaws: LocalAws) -> None:
    cloudformation, role = localaws.client("cloudformation"), stacks_role(localaws, "t-stacks")
    stacks_role(localaws, "t-stacks2")
    given = {"template_body": topic("six"), "role_arn": role, "tags": {"project": "t", "stack": "six"}}
    deploy_stack(cloudformation, "six", {"Value": "a"}, **given)
    stack = find_stack(cloudformation, "six") or {}
    assert stack["RoleARN"] == role
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]} == {"project": "t", "stack": "six"}
    deploy_stack(cloudformation, "six", {"Value": "b"}, **given | {"role_arn": f"{role}2"})
    assert (find_stack(cloudformation, "six") or {})["RoleARN"] == f"{role}2", "an update changes it"
    deploy_stack(cloudformation, "six", {"Value": "c"}, template_body=topic("six"), tags=given["tags"])
    assert (find_stack(cloudformation, "six") or {})["RoleARN"] == f"{role}2", "and the stack remembers it"
    assert delete_stack(cloudformation, "six", role_arn=role)


def test_every_stack_but_access_is_made_by_the_stacks_role(tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    def record(_client: Any, name: str, _parameters: Any, **arguments: Any) -> StackResult:
        given[name] = arguments
        return StackResult({}, changed=True)

    (tmp_path / "infra/stacks").mkdir(parents=True)
    settings = Settings(project="roles", account_id="123456789012", region="us-east-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "deploy_stack", record)
        patch.setattr(project, "is_kept_group", lambda *_: False)
        for name in (*project.FROM_CHECKOUT, "mwaa"):
            (tmp_path / f"infra/stacks/{name}.yaml").write_text("Resources: {}")
            clients = Mock()
            clients.return_value.meta.endpoint_url = "https://cloudformation.us-east-1.amazonaws.com"
            project.deploy(clients, settings, name, root=tmp_path)
    assert given.pop("roles-access")["role_arn"] is None
    assert set(given) == {"roles-data", "roles-features", "roles-ml", "roles-mwaa"}
    for name, arguments in given.items():
        assert arguments["role_arn"] == "arn:aws:iam::123456789012:role/roles-stacks"
        assert arguments["tags"] == {"project": "roles", "stack": name.removeprefix("roles-")}


def test_a_role_that_is_not_there_names_the_command_that_makes_it(localaws: LocalAws) -> None:
    cloudformation, settings = (
        localaws.client("cloudformation"),
        Settings(account_id="123456789012", region="us-east-1"),
    )
    said = f"Role {settings.stacks_role_arn} is invalid or cannot be assumed"
    with Stubber(cloudformation) as stub:
        stub.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
        stub.add_client_error("create_change_set", "ValidationError", said)
        with pytest.raises(StackFailed, match=r"cannot be assumed; an administrator .* python -m infra\.deploy access"):
            project.deploy(lambda _service: cloudformation, settings, "data")


def test_only_choices_of_the_settings_are_passed_to_serving() -> None:
    plain = Settings(account_id="123456789012", region="us-east-1")
    assert not {name for name in project.stack_parameters(plain, "serving", "0" * 16) if name.startswith("Endpoint")}
    chosen = Settings(
        account_id="123456789012",
        region="us-east-1",
        endpoint_mode="serverless",
        endpoint_instance_type="ml.c5.large",
        endpoint_instance_count=2,
        endpoint_memory_mb=3072,
        endpoint_max_concurrency=9,
    )
    found = project.stack_parameters(chosen, "serving", "0" * 16)
    assert {name: value for name, value in found.items() if name.startswith("Endpoint")} == {
        "EndpointMode": "serverless",
        "EndpointInstanceType": "ml.c5.large",
        "EndpointInstanceCount": "2",
        "EndpointMemoryMb": "3072",
        "EndpointMaxConcurrency": "9",
    }


def test_a_parameter_given_once_outlives_deployments_by_the_settings(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")

    def instance_type() -> str:
        stack = find_stack(cloudformation, "cli-kept-serving") or {}
        return next(p["ParameterValue"] for p in stack["Parameters"] if p["ParameterKey"] == "EndpointInstanceType")

    names = {"GFF_PROJECT": "cli-kept"}
    assert run(localaws, "access", "data", "features", "ml", "release", "serving", **names).returncode == 0
    once = run(localaws, "serving", "--parameter", "EndpointInstanceType=ml.c5.xlarge", **names)
    assert once.returncode == 0 and instance_type() == "ml.c5.xlarge", once.stderr
    settings = Settings(project="cli-kept", account_id="123456789012", region="us-east-1")
    project.deploy(localaws.client, settings, "serving")
    assert instance_type() == "ml.c5.xlarge", "model_deploy calls this: it must not undo what a person chose"


def test_a_failure_before_the_newest_page_of_events_is_found(localaws: LocalAws) -> None:
    many = {
        f"Many{i}": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/t/m/{i}", "Type": "String", "Value": "x"}}
        for i in range(60)
    }
    last = {"Broken": {**BROKEN["Broken"], "DependsOn": sorted(many)}}
    lines: list[str] = []
    with pytest.raises(StackFailed, match=r"many is ROLLBACK_COMPLETE: Broken \(AWS::Lambda::Function\): Resource"):
        deploy_stack(
            localaws.client("cloudformation"),
            "many",
            {"Value": "a"},
            template_body=topic("many", **many, **last),
            on_progress=lines.append,
        )
    events = localaws.client("cloudformation").describe_stack_events(StackName="many")
    assert len(events["StackEvents"]) == 100 and "NextToken" in events
    assert not any(event["LogicalResourceId"] == "Broken" for event in events["StackEvents"]), "on the first page"
    assert sum("CREATE_COMPLETE" in line for line in lines) == 61, "each event is reported, and once"


def test_serving_before_a_release_says_so(localaws: LocalAws) -> None:
    settings = Settings(project="other", account_id="123456789012", region="us-east-1")
    for name in ("access", "data"):
        project.deploy(localaws.client, settings, name)
    with pytest.raises(ValueError, match="publish one first"):
        project.deploy(localaws.client, settings, "serving")


def run(localaws: LocalAws, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AWS_ENDPOINT_URL": localaws.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "GFF_PROJECT": "cli-test",
        **variables,
    }
    command = [sys.executable, "-m", "infra.deploy", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_the_command_deploys_all_and_again_changes_nothing(localaws: LocalAws) -> None:
    first = run(localaws, "all")
    assert first.returncode == 0, first.stderr
    assert "ApiUrl = https://" in first.stdout
    again = run(localaws, "all")
    assert again.stdout.count("nothing to change") == 5, again.stdout
    assert "there already" in again.stdout
    kept = run(localaws, "serving", "--parameter", "EndpointMode=serverless")
    assert "EndpointMode" not in kept.stderr
    assert run(localaws, "serving").stdout.count("nothing to change") == 1, "later deployments keep the parameter"
    deleted = run(localaws, "delete")
    assert deleted.returncode == 0, deleted.stderr
    stacks = localaws.client("cloudformation").describe_stacks()["Stacks"]
    left = {
        s["StackName"]
        for s in stacks
        if s["StackName"].startswith("cli-test") and s["StackStatus"] != "DELETE_COMPLETE"
    }
    assert left == {"cli-test-access", "cli-test-data"}
    assert run(localaws, "delete", "--with-data", "--with-access").returncode == 0
    assert find_stack(localaws.client("cloudformation"), "cli-test-data") is None
    assert find_stack(localaws.client("cloudformation"), "cli-test-access") is None


def test_nothing_is_made_with_credentials_of_another_account(localaws: LocalAws) -> None:
    refused = run(localaws, "data", GFF_ACCOUNT_ID="210987654321", GFF_PROJECT="other-account")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "the credentials are of account 123456789012 and GFF_ACCOUNT_ID names 210987654321" in refused.stderr
    assert find_stack(localaws.client("cloudformation"), "other-account-data") is None


def test_a_region_without_the_image_is_refused_before_anything_is_made(localaws: LocalAws) -> None:
    there = dict.fromkeys(("GFF_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"), "mx-central-1")
    refused = run(localaws, "data", GFF_PROJECT="other-region", **there)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "no image sagemaker-xgboost:3.2-0 in region mx-central-1" in refused.stderr


def test_a_missing_variable_is_one_line(localaws: LocalAws) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GFF_", "AWS_"))}
    command = [sys.executable, "-m", "infra.deploy", "data"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "GFF_ACCOUNT_ID is not set" in done.stderr


def test_the_command_says_what_is_wrong_in_one_line(localaws: LocalAws) -> None:
    unknown = run(localaws, "endpoint")
    assert unknown.returncode == 2 and "invalid choice" in unknown.stderr
    assert "anyone may take its name" in " ".join(run(localaws, "--help").stdout.split()), "of a deleted bucket"
    bad = run(localaws, "data", "--parameter", "NoncurrentDays")
    assert bad.returncode == 1 and bad.stderr.count("\n") == 1 and "Name=Value" in bad.stderr
    refused = run(localaws, "data", "--parameter", "Nope=1")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr


def test_a_bucket_may_have_a_key_of_ours(localaws: LocalAws) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    settings = Settings(project="own-key", account_id="123456789012", region="us-east-1")
    s3 = localaws.client("s3")

    def encryption() -> dict[str, Any]:
        (rule,) = s3.get_bucket_encryption(Bucket=settings.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        return dict(rule["ApplyServerSideEncryptionByDefault"])

    for name in ("access", "data"):
        project.deploy(localaws.client, settings, name)
    assert encryption() == {"SSEAlgorithm": "AES256"}
    project.deploy(localaws.client, settings, "data", overrides={"KmsKeyArn": key})
    project.deploy(localaws.client, settings, "data")
    assert encryption() == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=settings.bucket)["Rules"]
    expiring = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}
    assert expiring == {"quality/": 90, "state/features/staged/": 7}


def test_jobs_in_subnets_of_ours_may_make_network_interfaces(localaws: LocalAws) -> None:
    place = {"project": "in-vpc", "account_id": "123456789012", "region": "us-east-1"}
    iam = localaws.client("iam")
    project.deploy(localaws.client, Settings(**place), "access")
    project.deploy(localaws.client, Settings(**place, job_subnets=("subnet-1",)), "ml")
    assert set(iam.list_role_policies(RoleName="in-vpc-sagemaker")["PolicyNames"]) == {"job", "jobs-in-vpc"}
    project.deploy(localaws.client, Settings(**place), "ml")
    assert iam.list_role_policies(RoleName="in-vpc-sagemaker")["PolicyNames"] == ["job"]
    assert iam.list_role_policies(RoleName="in-vpc-model")["PolicyNames"] == ["model"]
