"""What a plan says, and that making one changes nothing."""

import pytest

from include.deploy.change_set import Change, ChangeSet
from include.settings import settings
from infra.deployment.applying import Applier
from infra.deployment.failure import NotDeployed
from infra.deployment.flow import Deployer
from infra.deployment.parts import parts_of
from infra.deployment.plan import StackPlan, StackRequest, resources, stack_text
from infra.deployment.planning import plan_text
from infra.deployment.stacks import stack_names
from infra.package import Package, build_package
from tests.deployment.homes import BucketHome, planner, quiet, variant
from tests.localaws.conftest import LocalAws

REQUEST = StackRequest("data", "forecast-data", "", {}, None)
TEMPLATE = """
Resources:
  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${Name}-x", Tags: !If [A, [1], {b: !Ref C}]}}
  Queue: {Type: AWS::SQS::Queue}
"""


def test_an_update_says_what_happens_to_each_resource_and_what_is_replaced() -> None:
    changes = (
        Change("Add", "Alarm", "AWS::CloudWatch::Alarm"),
        Change("Modify", "Api", "AWS::Lambda::Function", "False"),
        Change("Modify", "Table", "AWS::SageMaker::FeatureGroup", "True"),
        Change("Modify", "Rule", "AWS::Events::Rule", "Conditional"),
        Change("Remove", "Topic", "AWS::SNS::Topic"),
    )
    text = stack_text(StackPlan(REQUEST, "update", changes, ChangeSet("s", "c", "UPDATE", changes)))
    assert text.splitlines()[1:] == [
        "      + Alarm (AWS::CloudWatch::Alarm)",
        "      ~ Api (AWS::Lambda::Function)",
        "      ! Table (AWS::SageMaker::FeatureGroup), replaced",
        "      ! Rule (AWS::Events::Rule), perhaps replaced",
        "      - Topic (AWS::SNS::Topic)",
    ]


def test_a_new_stack_is_counted_by_type() -> None:
    found = resources(TEMPLATE)
    assert found == (Change("Add", "Data", "AWS::S3::Bucket"), Change("Add", "Queue", "AWS::SQS::Queue"))
    assert "+ 1 AWS::S3::Bucket" in stack_text(StackPlan(REQUEST, "create", found))


def test_no_change_is_one_line() -> None:
    assert stack_text(StackPlan(REQUEST, "nothing")).endswith("no change")


@pytest.fixture(scope="module")
def base() -> Package:
    return build_package()


def test_plans_from_an_empty_account_to_one_where_nothing_changes(localaws: LocalAws, base: Package) -> None:
    cloudformation, s3 = localaws.client("cloudformation"), localaws.client("s3")
    made = planner(localaws.url, variant(1, base))
    names = stack_names(made.home.environment)

    first = made.plan(parts_of(made.home.environment))
    assert [(stack.request.name, stack.action) for stack in first.stacks] == [(name, "create") for name in names]
    assert first.dags is not None and first.dags.added == len(first.dags.put) > 100
    assert first.is_release_new
    assert s3.list_buckets()["Buckets"] == []  # nothing is made for a plan but a stack under review
    states = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation.describe_stacks()["Stacks"]}
    assert states == {settings().stack("access"): "REVIEW_IN_PROGRESS"}

    Applier(made, quiet()).apply(first)
    again = planner(localaws.url, variant(1, base))
    second = again.plan(parts_of(made.home.environment))
    assert second.is_empty
    assert "Everything is as it should be." in plan_text(again.home, again.package, again.callers, second)

    newer = planner(localaws.url, variant(2, base))
    third = newer.plan(parts_of(made.home.environment))
    assert {stack.request.name: stack.action for stack in third.stacks} == dict.fromkeys(names, "nothing") | {
        "serving": "update"
    }
    assert third.dags is not None and (len(third.dags.put), third.dags.surplus) == (1, ("dags/old.py",))
    text = plan_text(newer.home, newer.package, newer.callers, third)
    assert "~ ApiFunction (AWS::Lambda::Function)" in text
    assert "0 new, 1 changed, 1 gone" in text

    before = s3.list_object_versions(Bucket=settings().bucket)["Versions"]
    refused = Deployer(BucketHome(localaws.url), variant(2, base), quiet(), lambda _: "no")
    with pytest.raises(NotDeployed, match="not confirmed"):
        refused.deploy()
    silent = Deployer(BucketHome(localaws.url), variant(2, base), quiet(), None)
    with pytest.raises(NotDeployed, match="--yes"):
        silent.deploy()
    assert s3.list_object_versions(Bucket=settings().bucket)["Versions"] == before
    sets = cloudformation.list_change_sets(StackName=settings().stack("serving"))["Summaries"]
    waiting = [found for found in sets if found["ExecutionStatus"] == "AVAILABLE"]
    assert len(waiting) == 1  # that of the plan above, which nobody answered


def test_credentials_of_another_account_change_nothing(localaws: LocalAws, base: Package) -> None:
    class Elsewhere(BucketHome):
        def open(self, package: Package | None, say: object) -> None:
            super().open(package, print)
            from infra.deployment.home import adopt

            adopt({"GFF_ACCOUNT_ID": "999988887777"})

    with pytest.raises(NotDeployed, match=r"123456789012.*999988887777.*nothing was changed"):
        Deployer(Elsewhere(localaws.url), base, quiet(), None, is_confirmed=True).deploy()
