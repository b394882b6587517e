"""Propose changes of one CloudFormation stack as a change set, to be shown, applied or discarded."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from include.deploy.following import POLL_QUICKLY_S, Sleep, StackDescription, StackFailed, find_stack
from include.deploy.template import request_body

TIMEOUT_S = 300.0
NO_CHANGES = ("didn't contain changes", "No updates are to be performed", "The submitted information didn't contain")


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    `action` is CloudFormation's word: Add, Modify, Remove, Import or Dynamic. `replacement` is True, False or
    Conditional where a resource is modified, else empty: a replaced resource is made anew and the old one deleted.
    """

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """Changes of a stack that CloudFormation holds ready; none of them has happened yet."""

    stack: str
    name: str
    kind: Literal["CREATE", "UPDATE"]
    changes: tuple[Change, ...]


def propose(
    cloudformation: Any,
    stack_name: str,
    present: StackDescription | None,
    parameters: Mapping[str, str],
    template: Mapping[str, str | None],
    *,
    role_arn: str | None = None,
    tags: Mapping[str, str] | None = None,
    capabilities: Sequence[str] = ("CAPABILITY_NAMED_IAM",),
    timeout_s: float = TIMEOUT_S,
    sleep: Sleep = time.sleep,
) -> ChangeSet | None:
    """Make a change set; None where there is nothing to change, and nothing is left behind then.

    A parameter that is not given here keeps the value that the stack was once given, else has the template's default.

    Args:
        present: the stack as it is, at rest; None where it is to be created. CloudFormation then holds an empty stack
            under review until the change set is applied or discarded.
        template: `TemplateBody` or `TemplateURL`.

    Raises:
        StackFailed: the template was refused.
    """
    template = fitting(stack_name, template)
    kind: Literal["CREATE", "UPDATE"] = "UPDATE" if present else "CREATE"
    name = f"deploy-{datetime.now(UTC):%Y%m%dt%H%M%S%fz}"
    try:
        cloudformation.create_change_set(
            StackName=stack_name,
            ChangeSetName=name,
            ChangeSetType=kind,
            Parameters=_parameters(cloudformation, present, parameters, template),
            Capabilities=list(capabilities),
            Tags=[{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())],
            **({"RoleARN": role_arn} if role_arn else {}),
            **template,
        )
    except ClientError as error:
        if _is_no_change(str(error)):
            return None
        raise StackFailed(f"stack {stack_name}: {error.response['Error']['Message']}") from error
    if not _is_ready(cloudformation, stack_name, name, timeout_s, sleep):
        return None
    return ChangeSet(stack_name, name, kind, _changes(cloudformation, stack_name, name))


def fitting(stack_name: str, template: Mapping[str, str | None]) -> dict[str, str | None]:
    """The template argument of a request, made to fit where it is a body.

    Raises:
        StackFailed: it does not fit.
    """
    body = template.get("TemplateBody")
    try:
        return {"TemplateBody": request_body(body)} if body else dict(template)
    except ValueError as error:
        raise StackFailed(f"stack {stack_name}: {error}") from error


def discard(cloudformation: Any, change_set: ChangeSet) -> None:
    """Drop a change set that was not applied, and the empty stack that it was to fill."""
    cloudformation.delete_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
    if change_set.kind == "CREATE":
        stack = find_stack(cloudformation, change_set.stack)
        if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            cloudformation.delete_stack(StackName=change_set.stack)


def _changes(cloudformation: Any, stack_name: str, change_set: str) -> tuple[Change, ...]:
    pages = cloudformation.get_paginator("describe_change_set").paginate(StackName=stack_name, ChangeSetName=change_set)
    found = [item["ResourceChange"] for page in pages for item in page.get("Changes", []) if "ResourceChange" in item]
    return tuple(
        Change(row["Action"], row["LogicalResourceId"], row["ResourceType"], row.get("Replacement") or "")
        for row in found
    )


def _parameters(
    cloudformation: Any, stack: StackDescription | None, given: Mapping[str, str], template: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """CloudFormation's list of parameters: those given, and those that the stack was once given otherwise.

    A value that was the old template's default is not kept, so that a new default takes effect.
    """
    wanted: list[dict[str, Any]] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in sorted(given.items())
    ]
    values = {item["ParameterKey"]: item.get("ParameterValue") for item in (stack or {}).get("Parameters", [])}
    open_keys = values.keys() - given.keys()
    if stack is None or not open_keys:
        return wanted
    old = _defaults(cloudformation, StackName=stack["StackName"])
    new = _defaults(cloudformation, **template)
    kept = sorted(key for key in open_keys & new.keys() if values[key] != old.get(key))
    return wanted + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]


def _defaults(cloudformation: Any, **template: str | None) -> dict[str, str | None]:
    """The parameters of a template, or of a stack's present one, with their defaults."""
    found = cloudformation.get_template_summary(**template).get("Parameters", [])
    return {item["ParameterKey"]: item.get("DefaultValue") for item in found}


def _is_ready(cloudformation: Any, name: str, change_set: str, timeout_s: float, sleep: Sleep) -> bool:
    """Whether the change set can be executed; False where it holds no changes (it is deleted then)."""
    for _ in range(max(1, int(min(timeout_s, TIMEOUT_S) / POLL_QUICKLY_S))):
        found = cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set)
            if _is_no_change(reason):
                return False
            raise StackFailed(f"stack {name}: its change set failed: {reason}")
        sleep(POLL_QUICKLY_S)
    raise StackFailed(f"stack {name}: its change set was not ready in time")


def _is_no_change(message: str) -> bool:
    return any(words in message for words in NO_CHANGES)
