"""Every grant of every role that the project's stacks make, read from the templates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STACKS_FOLDER = Path(__file__).parents[1] / "stacks"
STACKS = ("access", "data", "features", "ml", "serving", "endpoint", "delivery")


@dataclass(frozen=True)
class Grant:
    """One action that a role is allowed, and where the templates say so.

    `role` is the role's name without the project (`tasks`); `place` is policy and Sid, or the statement's number;
    `resources` and `condition` stand as the template has them, with the ARN's common beginning left out.
    """

    stack: str
    role: str
    place: str
    action: str
    resources: tuple[str, ...]
    condition: str


def grants(folder: Path = STACKS_FOLDER) -> list[Grant]:
    """All grants, in the order of the templates."""
    return [grant for stack in STACKS for grant in _of_stack(stack, _template(folder, stack)["Resources"])]


def trusted(folder: Path = STACKS_FOLDER) -> dict[str, str]:
    """Who may act under each role: services, or the account's people."""
    found = {}
    for stack in STACKS:
        for resource in _template(folder, stack)["Resources"].values():
            if resource["Type"] == "AWS::IAM::Role":
                statements = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                found[_own_name(resource["Properties"])] = ", ".join(_principals(statements))
    return found


def _principals(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        principal = statement["Principal"]
        services = principal.get("Service", [])
        yield from services if isinstance(services, list) else [services]
        if "AWS" in principal:
            yield "people of the account"


def _of_stack(stack: str, resources: Mapping[str, Any]) -> Iterator[Grant]:
    """Grants of the roles of a stack, each with those of the policies that are attached to it."""
    attached = [resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::IAM::Policy"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            own = [*resource["Properties"].get("Policies", []), *(p for p in attached if {"Ref": name} in p["Roles"])]
            managed = [
                {"PolicyName": _own_name(policy, "ManagedPolicyName"), "PolicyDocument": policy["PolicyDocument"]}
                for arn in resource["Properties"].get("ManagedPolicyArns", [])
                for policy in [resources[arn["Ref"]]["Properties"]]
            ]
            yield from _of_role(stack, {**resource["Properties"], "Policies": own + managed})


def _of_role(stack: str, properties: Mapping[str, Any]) -> Iterator[Grant]:
    for policy in properties.get("Policies", []):
        for number, statement in enumerate(policy["PolicyDocument"]["Statement"], 1):
            place = f"{policy['PolicyName']}/{statement.get('Sid', number)}"
            resources = tuple(_text(resource) for resource in _list(statement["Resource"]))
            condition = "; ".join(
                f"{key} {' or '.join(_text(value) for value in _list(wanted))}"
                for keys in statement.get("Condition", {}).values()
                for key, wanted in keys.items()
            )
            for action in _list(statement["Action"]):
                yield Grant(stack, _own_name(properties), place, action, resources, condition)


def _own_name(properties: Mapping[str, Any], key: str = "RoleName") -> str:
    return _text(properties[key]).removeprefix("${Project}-")


def _text(value: Any) -> str:
    """A resource in words: ARNs lose what is the same in all of them, references become their names."""
    if isinstance(value, dict):
        kind, inner = next(iter(value.items()))
        return _text(inner) if kind == "Fn::Sub" else f"${{{inner if isinstance(inner, str) else '.'.join(inner)}}}"
    return (
        str(value)
        .replace("arn:${AWS::Partition}:", "")
        .replace("${AWS::Region}:${AWS::AccountId}:", "")
        .replace("iam::${AWS::AccountId}:", "iam:")
        .replace("s3:::", "s3:")
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms (`!Sub x` is `{"Fn::Sub": "x"}`)."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def _template(folder: Path, stack: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((folder / f"{stack}.yaml").read_text(), _Loader)  # noqa: S506 - a safe loader
    return loaded
