"""The pipelines: what flows from action to action, what waits for a person, and who can become a deployer."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.deploy import project
from include.deploy.stack import StackResult
from include.settings import Settings
from infra.access.grants import grants
from tests.stacks.templates import FOLDER, template

REPOSITORIES = ("Build", "Deploy")
DEPLOYER_ROLES = {"Staging": "staging-${Project}-deployer", "Production": "${Project}-deployer"}
WITHOUT_RESOURCES = {
    "codecommit:ListRepositories",
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "cloudformation:GetTemplateSummary",
    "sagemaker:ListFeatureGroups",
}
NEITHER = {"Ref": "AWS::NoValue"}
SETTINGS = Settings(project="garmin-forecast", account_id="123456789012", region="us-east-1")

Json = dict[str, Any]


def resources(kind: str) -> dict[str, Json]:
    found = template("delivery")["Resources"].items()
    return {name: resource["Properties"] for name, resource in found if resource["Type"] == kind}


def branches(value: Any) -> list[Any]:
    """Both sides of an `!If`, else the value alone."""
    sides = value["Fn::If"][1:] if isinstance(value, dict) and "Fn::If" in value else [value]
    return [side for side in sides if side != NEITHER]


def stages(repository: str) -> list[Json]:
    declared = resources("AWS::CodePipeline::Pipeline")[f"{repository}Pipeline"]["Stages"]
    return [stage for item in declared for stage in branches(item)]


def actions(repository: str) -> Iterator[tuple[str, Json]]:
    """Every action with the name of its stage, in the order in which a pipeline carries them out."""
    for stage in stages(repository):
        found = [action for item in stage["Actions"] for action in branches(item)]
        yield from ((stage["Name"], action) for action in sorted(found, key=lambda a: int(a.get("RunOrder", 1))))


def test_the_template_is_clean() -> None:
    cfn_lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([cfn_lint, FOLDER / "delivery.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_an_action_takes_what_an_earlier_action_made(repository: str) -> None:
    made: set[str] = set()
    for stage, action in actions(repository):
        taken = {artifact["Name"] for artifact in action.get("InputArtifacts", [])}
        assert taken <= made, f"{stage}: {taken - made} is not made before"
        made |= {artifact["Name"] for artifact in action.get("OutputArtifacts", [])}
    assert [stage["Name"] for stage in stages(repository)] == ["Source", "Test", "Package", "Staging", "Production"]


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_what_is_deployed_is_what_was_packaged(repository: str) -> None:
    for stage, action in actions(repository):
        if action["Name"] == "Deploy":
            assert action["InputArtifacts"] == [{"Name": "Package"}], stage


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_a_person_approves_in_the_same_stage_before_production(repository: str) -> None:
    production = [
        (a["Name"], a["ActionTypeId"]["Category"]) for stage, a in actions(repository) if stage == "Production"
    ]
    assert production == [("Approve", "Approval"), ("Deploy", "Build")]
    orders = [a["RunOrder"] for stage, a in actions(repository) if stage == "Production"]
    assert orders == sorted(set(orders)), "actions of the same order run side by side"
    elsewhere = [a for stage, a in actions(repository) if stage != "Production"]
    assert {"Ref": f"{repository}Production"} not in [a["Configuration"].get("ProjectName") for a in elsewhere]


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_an_action_runs_a_project_of_its_own_repository(repository: str) -> None:
    projects = resources("AWS::CodeBuild::Project")
    for stage, action in actions(repository):
        if action["ActionTypeId"]["Provider"] == "CodeBuild":
            name = action["Configuration"]["ProjectName"]["Ref"]
            assert name == f"{repository}{stage}"
            assert projects[name]["Name"]["Fn::Sub"].startswith(f"${{Project}}-Model{repository}-")


def test_a_push_starts_the_pipeline_once() -> None:
    """CodeCommit by a rule and not by polling; a connection by the trigger of the pipeline."""
    rules = resources("AWS::Events::Rule")
    for repository in REPOSITORIES:
        rule = rules[f"{repository}Push"]
        assert rule["EventPattern"]["resources"] == [{"Fn::GetAtt": [f"{repository}Repository", "Arn"]}]
        assert rule["Targets"][0]["Arn"]["Fn::Sub"].endswith(f"${{{repository}Pipeline}}")
        (connection, codecommit) = [action for stage, action in actions(repository) if stage == "Source"]
        assert codecommit["Configuration"]["PollForSourceChanges"] == "false"
        pipeline = resources("AWS::CodePipeline::Pipeline")[f"{repository}Pipeline"]
        assert pipeline["PipelineType"] == "V2", "triggers are of V2"
        (trigger,) = branches(pipeline["Triggers"])[0]
        assert trigger["GitConfiguration"]["SourceActionName"] == connection["Name"]


def test_only_the_role_of_an_environment_becomes_its_deployer() -> None:
    """What a push brings runs before anyone approves it, so nothing before production leads there."""
    found = {(g.role, g.resources) for g in grants() if g.stack == "delivery" and g.action == "sts:AssumeRole"}
    assert found == {
        (f"delivery-{stage.lower()}", (f"iam:role/{deployer}",)) for stage, deployer in DEPLOYER_ROLES.items()
    }
    for name, build in resources("AWS::CodeBuild::Project").items():
        stage = re.sub("^(Build|Deploy)", "", name)
        role = f"{stage}Role" if stage in DEPLOYER_ROLES else "BuildRole"
        assert build["ServiceRole"] == {"Fn::GetAtt": [role, "Arn"]}, name
        given = {v["Name"]: v["Value"] for v in build["Environment"].get("EnvironmentVariables", [])}
        if stage in DEPLOYER_ROLES:
            assert given == {"ENVIRONMENT": {"Ref": f"{stage}Environment"}}
        else:
            assert given == {}


def test_every_role_has_the_boundary_of_delivery() -> None:
    roles = resources("AWS::IAM::Role")
    assert len(roles) == 5
    for name, role in roles.items():
        boundary = role["PermissionsBoundary"]["Fn::Sub"]
        assert boundary.endswith(":policy/${Project}-delivery-boundary"), name


def test_a_role_of_builds_is_for_builds_of_its_stages_alone() -> None:
    for name, stages in {"Build": ("test", "package"), "Staging": ("staging",), "Production": ("production",)}.items():
        (trust,) = resources("AWS::IAM::Role")[f"{name}Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        sources = [arn["Fn::Sub"] for arn in trust["Condition"]["ArnLike"]["aws:SourceArn"]]
        assert [arn.rpartition("/")[2] for arn in sources] == [f"${{Project}}-Model*-{stage}" for stage in stages]


def test_airflow_cannot_make_what_becomes_a_deployer() -> None:
    """A task may have CloudFormation make stacks by one role: not by that of the pipelines, nor by their boundary."""
    passed = {(g.role, resource) for g in grants() if g.action == "iam:PassRole" for resource in g.resources}
    assert {role for role, resource in passed if "DeliveryStacksRole" in resource} == {"deployer"}
    boundary = template("access")["Resources"]["Boundary"]["Properties"]["PolicyDocument"]["Statement"]
    assert not [statement for statement in boundary if "sts:" in str(statement["Action"])]
    made = {r for g in grants() if g.role == "stacks" and g.action == "iam:CreateRole" for r in g.resources}
    assert not [resource for resource in made if "delivery" in resource or resource.endswith("*")]


def test_a_grant_on_everything_is_of_an_action_without_resources() -> None:
    wide = {g.action for g in grants() if "delivery" in f"{g.role}{g.place}" and g.resources == ("*",)}
    assert wide <= WITHOUT_RESOURCES


def test_builds_end_log_and_have_no_privileges() -> None:
    projects = resources("AWS::CodeBuild::Project")
    assert len(projects) == 8
    for name, build in projects.items():
        assert build["TimeoutInMinutes"]["Ref"] in ("BuildTimeoutMinutes", "DeploymentTimeoutMinutes"), name
        assert build["LogsConfig"]["CloudWatchLogs"]["GroupName"] == {"Ref": "BuildLogs"}, name
        assert not build["Environment"].get("PrivilegedMode"), name
        assert re.fullmatch(r"buildspec-(test|package|deploy)\.yaml", build["Source"]["BuildSpec"])


def test_artifacts_are_private_versioned_encrypted_and_forgotten() -> None:
    bucket = resources("AWS::S3::Bucket")["Artifacts"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Ref": "ArtifactDays"} and "NoncurrentVersionExpiration" in rule


def test_parameters_are_pascal_case_and_guarded() -> None:
    for name, parameter in template("delivery")["Parameters"].items():
        assert re.fullmatch(r"([A-Z][a-z0-9]+)+", name)
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name
        assert parameter["Description"].strip()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `project.deploy` asks of CloudFormation."""
    asked: dict[str, Any] = {}

    def deploy_stack(_: Any, name: str, parameters: Json, **more: Any) -> StackResult:
        asked.update(name=name, parameters=parameters, **more)
        return StackResult({}, changed=True)

    monkeypatch.setattr(project, "deploy_stack", deploy_stack)
    return asked


def client_at(url: str) -> Any:
    return lambda _: SimpleNamespace(meta=SimpleNamespace(endpoint_url=url))


def test_it_is_deployed_by_the_role_of_the_pipelines(calls: dict[str, Any]) -> None:
    environment = {"ProductionEnvironment": "prod"}
    aws = client_at("https://cloudformation.us-east-1.amazonaws.com")
    project.deploy(aws, SETTINGS, "delivery", overrides=environment)
    assert calls["name"] == "garmin-forecast-delivery"
    assert calls["role_arn"] == "arn:aws:iam::123456789012:role/garmin-forecast-delivery-stacks"
    assert calls["parameters"] == {"Project": "garmin-forecast", "ProductionEnvironment": "prod"}
    assert "AWS::CodePipeline::Pipeline" in calls["template_body"]


def test_local_aws_is_not_asked_for_it(calls: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="local AWS has no repositories and pipelines"):
        project.deploy(client_at("http://127.0.0.1:4566"), SETTINGS, "delivery")
    assert not calls


def test_the_artifacts_are_emptied_before_their_bucket_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation deletes no bucket that holds anything."""
    done: list[str] = []
    monkeypatch.setattr(project, "find_stack", lambda _, name: name)
    monkeypatch.setattr(project, "empty_bucket", lambda _, bucket: done.append(f"empty {bucket}"))
    monkeypatch.setattr(project, "delete_stack", lambda _, name, **more: done.append(f"{name} by {more['role_arn']}"))
    for step in ("delete_model_packages", "delete_tokens", "delete_job_logs"):
        monkeypatch.setattr(project.leftovers, step, lambda *_: None)
    monkeypatch.setattr(project, "delete_feature_groups", lambda *_, **__: [])
    project.delete(client_at("https://aws"), SETTINGS)
    bucket = template("delivery")["Resources"]["Artifacts"]["Properties"]["BucketName"]["Fn::Sub"]
    for name, value in {
        "Project": SETTINGS.project,
        "AWS::AccountId": SETTINGS.account_id,
        "AWS::Region": SETTINGS.region,
    }.items():
        bucket = bucket.replace(f"${{{name}}}", value)
    role = "arn:aws:iam::123456789012:role/garmin-forecast-delivery-stacks"
    assert done[:2] == [f"empty {bucket}", f"garmin-forecast-delivery by {role}"]
