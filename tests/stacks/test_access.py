"""Who may do what: limits of IAM, what AWS's own resource handlers need, and the table in docs/aws.md."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from infra.access.calls import judge, reason_of, reasons
from infra.access.grants import Grant, grants
from infra.access.table import PAGE, with_table
from tests.stacks.templates import template

INLINE_POLICIES_MAX = 10_240
"""Characters of all inline policies of one role, white space left out (IAM's quota)."""
MANAGED_POLICY_MAX = 6_144
NOT_USED = (
    "kms:", "ec2:", "elasticfilesystem:", "s3files:", "s3tables:", "firehose:", "glue:",  # keys, networks, other stores
    "s3:REST.", "apigateway:UpdateRestApiPolicy", "iam:DeleteRolePermissionsBoundary",
)  # fmt: skip
"""Actions that handlers need only for properties that no template of ours sets; the last would free a role."""


@cache
def schemas() -> dict[str, Any]:
    """CloudFormation's registry schemas, by type, as cfn-lint carries them."""
    folder = files("cfnlint") / "data/schemas/resources"
    found = (json.loads(file.read_text()) for file in folder.iterdir() if file.name.endswith(".json"))
    return {schema["typeName"]: schema for schema in found if "typeName" in schema}


def made_types(*stacks: str) -> list[str]:
    return sorted({resource["Type"] for stack in stacks for resource in template(stack)["Resources"].values()})


@cache
def granted(role: str) -> frozenset[str]:
    """The actions of a role; the templates are read for it once."""
    return frozenset(grant.action.lower() for grant in grants() if grant.role == role)


@pytest.mark.parametrize(
    ("role", "stacks"),
    [
        ("stacks", ("data", "features", "ml", "serving")),
        ("endpoint-stack", ("endpoint",)),
        ("delivery-stacks", ("delivery",)),
    ],
)
def test_cloudformation_may_read_whatever_it_makes(role: str, stacks: tuple[str, ...]) -> None:
    """A handler reads a resource after each change; AWS's schema says what that takes."""
    missing = {
        (kind, action)
        for kind in made_types(*stacks)
        for action in (schemas()[kind].get("handlers") or {}).get("read", {}).get("permissions", [])
        if action.lower() not in granted(role) and not action.startswith(NOT_USED)
    }
    assert not missing


def test_inline_policies_keep_to_the_quota_of_a_role() -> None:
    for stack in ("access", "features", "ml", "serving", "delivery"):
        for name, resource in template(stack)["Resources"].items():
            policies = resource["Properties"].get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []
            size = sum(len(as_deployed(policy["PolicyDocument"])) for policy in policies)
            assert size <= INLINE_POLICIES_MAX, f"{stack}.{name}: {size}"


@pytest.mark.parametrize("boundary", ["Boundary", "DeliveryBoundary"])
def test_a_boundary_keeps_to_the_quota_of_a_managed_policy(boundary: str) -> None:
    document = template("access")["Resources"][boundary]["Properties"]["PolicyDocument"]
    assert len(as_deployed(document)) <= MANAGED_POLICY_MAX


def as_deployed(document: Any) -> str:
    """A policy with the longest values that our parameters take, as IAM counts it."""
    text = json.dumps(document, separators=(",", ":"))
    longest = {
        "${AWS::Partition}": "aws-us-gov",
        "${AWS::Region}": "ap-southeast-1",
        "${AWS::AccountId}": "1" * 12,
        "${Project}": "p" * 25,
        "${BucketName}": "b" * 52,
        "${ImageAccount}": "1" * 12,
    }
    for name, value in longest.items():
        text = text.replace(name, value)
    return text.replace('{"Fn::Sub":', "").replace('"}', '"')


def test_every_role_of_the_stacks_is_bounded() -> None:
    for stack in ("features", "ml", "serving"):
        for name, resource in template(stack)["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                boundary = resource["Properties"].get("PermissionsBoundary")
                wanted = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/${Project}-boundary"
                assert boundary == {"Fn::Sub": wanted}, f"{stack}.{name}"


@pytest.mark.parametrize(
    ("boundary", "stacks"),
    [("Boundary", {"data", "features", "ml", "serving", "endpoint"}), ("DeliveryBoundary", {"delivery"})],
)
def test_a_boundary_holds_what_each_bounded_role_is_granted(boundary: str, stacks: set[str]) -> None:
    statements = template("access")["Resources"][boundary]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {action for statement in statements for action in listed(statement["Action"])}
    lost = {(g.role, g.action) for g in grants() if g.stack in stacks and g.action not in allowed}
    assert not lost


def test_the_page_has_the_table_of_the_templates() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "run python -m infra.access"


def test_reasons_are_of_grants_that_there_are() -> None:
    names = {f"{g.role} {g.place}" for g in grants()} | {f"{g.role} {g.place} {g.action}" for g in grants()}
    assert not set(reasons()) - names


def test_a_denied_call_and_an_unexplained_grant_are_found() -> None:
    grant = Grant("access", "tasks", "ingest/Sid", "s3:GetObject", ("*",), "")
    document = {
        "allowed": [],
        "grants": [],
        "denied": [{"role": "p-tasks", "action": "s3:PutObject", "resource": "r", "reason": "because"}],
    }
    access = judge(document, "p", [grant])
    assert access.unexplained == (grant,)
    assert access.denied == ("p-tasks: s3:PutObject on r because",)
    used = document | {"grants": [["p-tasks", "ingest/Sid", "s3:GetObject", 3]], "denied": []}
    assert judge(used, "p", [grant]).unused == ()


def test_a_reason_may_stand_for_a_whole_statement() -> None:
    grant = Grant("access", "tasks", "ingest/Sid", "s3:GetObject", ("*",), "")
    assert reason_of(grant, {"tasks ingest/Sid": "rarely"}) == "rarely"
    assert reason_of(grant, {"tasks ingest/Sid s3:PutObject": "rarely"}) is None


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
