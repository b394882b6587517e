"""Deployments against local AWS: create, update, no changes, failures with their reason, deletion; and the command."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

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


def test_serving_before_a_release_says_so(localaws: LocalAws) -> None:
    settings = Settings(project="other", account_id="123456789012")
    project.deploy(localaws.client, settings, "data")
    with pytest.raises(ValueError, match="publish one first"):
        project.deploy(localaws.client, settings, "serving")


def run(localaws: LocalAws, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AWS_ENDPOINT_URL": localaws.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "GFF_PROJECT": "cli-test",
    }
    command = [sys.executable, "-m", "infra.deploy", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_the_command_deploys_all_and_again_changes_nothing(localaws: LocalAws) -> None:
    first = run(localaws, "all")
    assert first.returncode == 0, first.stderr
    assert "ApiUrl = https://" in first.stdout
    again = run(localaws, "all")
    assert again.stdout.count("nothing to change") == 4, again.stdout
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
    assert left == {"cli-test-data"}
    assert run(localaws, "delete", "--with-data").returncode == 0
    assert find_stack(localaws.client("cloudformation"), "cli-test-data") is None


def test_the_command_says_what_is_wrong_in_one_line(localaws: LocalAws) -> None:
    unknown = run(localaws, "endpoint")
    assert unknown.returncode == 2 and "invalid choice" in unknown.stderr
    bad = run(localaws, "data", "--parameter", "NoncurrentDays")
    assert bad.returncode == 1 and bad.stderr.count("\n") == 1 and "Name=Value" in bad.stderr
    refused = run(localaws, "data", "--parameter", "Nope=1")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
