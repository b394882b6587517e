"""Deploy or delete one CloudFormation stack, wherever an earlier attempt at it was stopped."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from include.deploy.change_set import ChangeSet, propose
from include.deploy.following import (
    Follower,
    Progress,
    Sleep,
    StackDescription,
    StackFailed,
    find_stack,
    first_failure,
    silent,
)

LEFTOVERS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""States of a stack that can only be deleted."""


@dataclass(frozen=True)
class StackResult:
    """What a deployment left behind."""

    outputs: dict[str, str]
    changed: bool


class NotAtRest(Exception):
    """A stack is at work, or an earlier attempt left it in a state without change sets; the message is its status."""


def deploy_stack(
    cloudformation: Any,
    name: str,
    parameters: Mapping[str, str],
    *,
    template_body: str | None = None,
    template_url: str | None = None,
    role_arn: str | None = None,
    tags: Mapping[str, str] | None = None,
    capabilities: Sequence[str] = ("CAPABILITY_NAMED_IAM",),
    on_progress: Progress | None = None,
    timeout_s: float = 1800,
    sleep: Sleep = time.sleep,
) -> StackResult:
    """Create or update stack `name`; a template without changes is a success with `changed=False`.

    A parameter that is not given here keeps the value that the stack was once given, else has the template's default.
    A stack at work is waited for, a failed creation is deleted first, and a rollback that failed is tried again.

    Args:
        role_arn: the role by which CloudFormation makes the resources; the stack remembers it. Without one they are
            made with the caller's own rights.
        tags: put on the stack and on all its resources.

    Raises:
        StackFailed: the template was refused, a resource failed, the stack is busy, or `timeout_s` passed.
    """
    report = on_progress or silent
    template = {"TemplateURL": template_url} if template_url else {"TemplateBody": template_body}
    follower = Follower(cloudformation, name, report, timeout_s, sleep)
    stack = _ready_stack(follower, role_arn)
    change_set = propose(
        cloudformation,
        name,
        stack,
        parameters,
        template,
        role_arn=role_arn,
        tags=tags,
        capabilities=capabilities,
        timeout_s=timeout_s,
        sleep=sleep,
    )
    if change_set is None:
        report(f"{name}: nothing to change")
        return StackResult(_outputs(stack), changed=False)
    return _execute(follower, change_set)


def apply_change_set(
    cloudformation: Any,
    change_set: ChangeSet,
    *,
    on_progress: Progress | None = None,
    timeout_s: float = 1800,
    sleep: Sleep = time.sleep,
) -> StackResult:
    """Let the proposed changes happen, and wait for the stack.

    Raises:
        StackFailed: the stack was changed by someone else since the change set was made, a resource failed, or
            `timeout_s` passed.
    """
    try:
        return _execute(Follower(cloudformation, change_set.stack, on_progress or silent, timeout_s, sleep), change_set)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidChangeSetStatus", "ChangeSetNotFound"):
            raise
        raise StackFailed(
            f"stack {change_set.stack} was changed since its plan was made: run the same command again"
        ) from error


def settled_stack(cloudformation: Any, name: str) -> StackDescription | None:
    """The stack that a change set can be made for now; None where it is to be created.

    Raises:
        NotAtRest: it must be waited for, deleted or rolled back first, as `deploy_stack` does.
    """
    stack = find_stack(cloudformation, name)
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    status = str(stack["StackStatus"])
    if status in LEFTOVERS or status == "UPDATE_ROLLBACK_FAILED" or _is_busy(stack):
        raise NotAtRest(status)
    return stack


def _execute(follower: Follower, change_set: ChangeSet) -> StackResult:
    since = datetime.now(UTC)
    follower.cloudformation.execute_change_set(StackName=follower.name, ChangeSetName=change_set.name)
    follower.report(f"{follower.name}: {'updating' if change_set.kind == 'UPDATE' else 'creating'}")
    done = _settled(follower, since, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))
    follower.report(f"{follower.name}: {done['StackStatus']}")
    return StackResult(_outputs(done), changed=True)


def delete_stack(
    cloudformation: Any,
    name: str,
    *,
    role_arn: str | None = None,
    on_progress: Progress | None = None,
    timeout_s: float = 1800,
    sleep: Sleep = time.sleep,
) -> bool:
    """Delete stack `name` and wait until it is gone; False where there was none.

    Args:
        role_arn: the role to delete its resources by; without one, the role that the stack was deployed with.

    Raises:
        StackFailed: a resource could not be deleted, or `timeout_s` passed.
    """
    follower = Follower(cloudformation, name, on_progress or silent, timeout_s, sleep)
    stack = find_stack(cloudformation, name)
    if stack and _is_busy(stack):
        follower.report(f"{name}: {stack['StackStatus']}, waiting")
        stack = follower.until_settled(datetime.now(UTC))
    if stack is None:
        return False
    since = datetime.now(UTC)
    cloudformation.delete_stack(StackName=name, **({"RoleARN": role_arn} if role_arn else {}))
    follower.report(f"{name}: deleting")
    left = follower.until_gone(stack["StackId"], since)
    if left:
        raise StackFailed(f"stack {name} is {left}: {first_failure(cloudformation, stack['StackId'], since)}")
    follower.report(f"{name}: deleted")
    return True


def _settled(follower: Follower, since: datetime, wanted: Sequence[str]) -> StackDescription:
    """The stack once it settled in one of the states wanted; StackFailed with the reason otherwise."""
    stack = follower.until_settled(since)
    if stack is None:
        raise StackFailed(f"stack {follower.name} was deleted by someone else")
    if stack["StackStatus"] not in wanted:
        reason = first_failure(follower.cloudformation, stack["StackId"], since)
        raise StackFailed(f"stack {follower.name} is {stack['StackStatus']}: {reason}")
    return stack


def _ready_stack(follower: Follower, role_arn: str | None) -> StackDescription | None:
    """The stack to update, or None where one is to be created, whatever an earlier deployment left."""
    stack = find_stack(follower.cloudformation, follower.name)
    if stack and _is_busy(stack):
        follower.report(f"{follower.name}: {stack['StackStatus']}, waiting")
        stack = follower.until_settled(datetime.now(UTC))
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    if stack["StackStatus"] in LEFTOVERS:
        _delete_leftover(follower, stack["StackStatus"], role_arn)
        return None
    if stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        return _roll_back_again(follower, role_arn)
    return stack


def _is_busy(stack: StackDescription) -> bool:
    """A stack under review holds nothing but a change set, and nothing happens to it."""
    status = str(stack["StackStatus"])
    return status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def _delete_leftover(follower: Follower, status: str, role_arn: str | None) -> None:
    cloudformation, name = follower.cloudformation, follower.name
    follower.report(f"{name}: {status}, deleting what is left")
    try:
        delete_stack(
            cloudformation,
            name,
            role_arn=role_arn,
            on_progress=follower.report,
            timeout_s=follower.timeout_s,
            sleep=follower.sleep,
        )
    except StackFailed as failure:
        if status != "DELETE_FAILED":
            raise
        remedy = "its deletion was begun and stopped half way: finish it (python -m infra.deploy delete), then deploy"
        raise StackFailed(f"{failure}; {remedy}") from failure


def _roll_back_again(follower: Follower, role_arn: str | None) -> StackDescription:
    """Bring a stack whose rollback failed back to what it was: only then can it be updated."""
    follower.report(f"{follower.name}: UPDATE_ROLLBACK_FAILED, rolling back again")
    since = datetime.now(UTC)
    role = {"RoleARN": role_arn} if role_arn else {}
    follower.cloudformation.continue_update_rollback(StackName=follower.name, **role)
    try:
        return _settled(follower, since, ("UPDATE_ROLLBACK_COMPLETE",))
    except StackFailed as failure:
        remedy = (
            "mend what stands in the way and run the same command again, or let CloudFormation skip the resource "
            f"(aws cloudformation continue-update-rollback --stack-name {follower.name} --resources-to-skip NAME)"
        )
        raise StackFailed(f"{failure}; {remedy}") from failure


def _outputs(stack: StackDescription | None) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in (stack or {}).get("Outputs", [])}


__all__ = [
    "NotAtRest",
    "Progress",
    "Sleep",
    "StackFailed",
    "StackResult",
    "apply_change_set",
    "delete_stack",
    "deploy_stack",
    "find_stack",
    "settled_stack",
]
