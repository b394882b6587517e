"""The decision of policies: wildcards, conditions, denials, and what moto's evaluator gets wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.localaws.iam.conditions import UnknownOperator, condition_holds, is_like
from infra.localaws.iam.policy import PolicySet, is_principal_named, parse_policy


def policy(*statements: dict[str, Any]) -> PolicySet:
    return PolicySet(parse_policy("p", json.dumps({"Version": "2012-10-17", "Statement": list(statements)})))


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not policy(allow("s3:GetObject")).decide("s3:PutObject", "arn:aws:s3:::b/k", {}).allowed


def test_actions_are_compared_without_regard_to_case_and_resources_with() -> None:
    found = policy(allow("s3:getobject", "arn:aws:s3:::b/K*"))
    assert found.decide("s3:GetObject", "arn:aws:s3:::b/Key", {}).allowed
    assert not found.decide("s3:GetObject", "arn:aws:s3:::b/key", {}).allowed


def test_a_denial_wins_over_any_permission() -> None:
    denial = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/secret/*"}
    decision = policy(allow("*"), denial).decide("s3:GetObject", "arn:aws:s3:::b/secret/1", {})
    assert not decision.allowed
    assert decision.denied_by is not None


def test_a_permission_whose_condition_fails_denies_nobody() -> None:
    """Another statement may still allow; an evaluator that takes a failed condition for a denial refuses it."""
    conditional = allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    context = {"iam:passedtoservice": "sagemaker.amazonaws.com"}
    assert not policy(conditional).decide("iam:PassRole", "r", context).allowed
    assert policy(conditional, allow("iam:PassRole", "r")).decide("iam:PassRole", "r", context).allowed


def test_a_dot_in_a_resource_is_a_dot() -> None:
    assert (
        not policy(allow("s3:GetObject", "arn:aws:s3:::my.bucket/*"))
        .decide("s3:GetObject", "arn:aws:s3:::myxbucket/k", {})
        .allowed
    )


def test_an_action_on_no_resource_needs_a_statement_on_all() -> None:
    assert (
        not policy(allow("lambda:ListFunctions", "arn:aws:lambda:*:*:function:x"))
        .decide("lambda:ListFunctions", "*", {})
        .allowed
    )


def test_not_action_and_not_resource_turn_a_statement_round() -> None:
    statement = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b/*"}
    found = policy(statement)
    assert found.decide("s3:GetObject", "arn:aws:s3:::c/k", {}).allowed
    assert not found.decide("iam:CreateRole", "arn:aws:iam::1:role/r", {}).allowed
    assert not found.decide("s3:GetObject", "arn:aws:s3:::b/k", {}).allowed


@pytest.mark.parametrize(
    ("block", "context", "holds"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:sourceaccount": "1"}, True),
        ({"StringEquals": {"aws:SourceAccount": ["2", "1"]}}, {"aws:sourceaccount": "1"}, True),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, {}, True),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, {}, True),
        ({"StringNotEquals": {"aws:SourceAccount": ["1", "2"]}}, {"aws:sourceaccount": "2"}, False),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": "raw/x"}, True),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": ""}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:1:rule/x"}}, {"aws:sourcearn": "arn:aws:events:r:1:rule/x"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws:securetransport": "true"}, True),
        ({"Null": {"iam:PermissionsBoundary": "true"}}, {}, True),
        ({"Null": {"iam:PermissionsBoundary": "true"}}, {"iam:permissionsboundary": "arn"}, False),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "x*"}}, {"a": "1", "b": "y"}, False),
    ],
)  # fmt: skip
def test_conditions_hold_as_iam_defines_them(block: Any, context: dict[str, str], holds: bool) -> None:
    assert condition_holds(block, context) is holds


def test_an_operator_that_is_not_evaluated_allows_nothing() -> None:
    with pytest.raises(UnknownOperator, match="DateGreaterThan"):
        condition_holds({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}, {})


@given(st.text(alphabet="ab*?.[\\", max_size=12))
def test_a_text_without_wildcards_matches_itself_alone(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert is_like(plain, plain)
    assert not is_like(plain, plain + "x")
    assert is_like(plain + "*", plain + "any/thing")


def test_principals_are_named_by_kind() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    statement = parse_policy("trust", json.dumps({"Statement": trust}))[0]
    assert is_principal_named(statement, "Service", ("lambda.amazonaws.com",))
    assert not is_principal_named(statement, "Service", ("sagemaker.amazonaws.com",))
    assert not is_principal_named(statement, "AWS", ("lambda.amazonaws.com",))


def test_a_text_that_is_no_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="Statement"):
        parse_policy("p", "[]")
