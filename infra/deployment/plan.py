"""What a deployment would do to each stack, as a change set that is shown before anything happens."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import ClientError

from include.deploy import change_set, project
from include.deploy.change_set import Change, ChangeSet
from include.deploy.following import Progress, Sleep
from include.deploy.project import Clients
from include.deploy.stack import NotAtRest, StackResult, apply_change_set, deploy_stack, settled_stack
from include.deploy.template import template_document
from include.settings import Settings

Action = Literal["create", "update", "nothing"]
SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}
REPLACED = {"True": "replaced", "Conditional": "perhaps replaced"}


@dataclass(frozen=True)
class StackRequest:
    """One stack as it is to be."""

    name: str
    """The project's word for it: `data`."""
    stack: str
    template: str
    parameters: Mapping[str, str]
    role_arn: str | None
    """The role that CloudFormation makes the resources by; None for the caller's own rights."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackPlan:
    """What is to happen to one stack."""

    request: StackRequest
    action: Action
    changes: tuple[Change, ...] = ()
    proposed: ChangeSet | None = None
    """What CloudFormation holds ready; None where the change set can be made only when the earlier stacks are there."""
    note: str = ""


def plan_stack(
    cloudformation: Any, request: StackRequest, *, may_propose: bool, sleep: Sleep = time.sleep
) -> StackPlan:
    """Ask CloudFormation what would change; a stack that it cannot be asked for yet is planned from its template.

    Args:
        may_propose: whether what a change set of this stack needs (the role that makes it) is there.

    Raises:
        StackFailed: CloudFormation refuses the template or its parameters.
    """
    try:
        present = settled_stack(cloudformation, request.stack)
    except NotAtRest as status:
        note = f"it is {status}: that is waited for, or taken away, first"
        return StackPlan(request, "update", resources(request.template), note=note)
    if present is None and not may_propose:
        return StackPlan(request, "create", resources(request.template), note="as its template says")
    proposed = change_set.propose(
        cloudformation,
        request.stack,
        present,
        request.parameters,
        {"TemplateBody": request.template},
        role_arn=request.role_arn,
        tags=request.tags,
        sleep=sleep,
    )
    if proposed is None:
        return StackPlan(request, "nothing")
    return StackPlan(request, "update" if present else "create", proposed.changes, proposed)


def without_change_set(cloudformation: Any, plan: StackPlan) -> StackPlan:
    """The same plan; its change set is made anew when it is applied, with values that are not known before."""
    if plan.proposed is None:
        return plan
    change_set.discard(cloudformation, plan.proposed)
    return StackPlan(plan.request, plan.action, plan.changes, None, plan.note)


def apply(
    clients: Clients,
    settings: Settings,
    plan: StackPlan,
    *,
    on_progress: Progress,
    sleep: Sleep = time.sleep,
) -> StackResult | None:
    """Let the plan of one stack happen; None where nothing was to be done.

    Raises:
        StackFailed: CloudFormation refused or rolled back.
    """
    if plan.action == "nothing":
        return None
    cloudformation, request = clients("cloudformation"), plan.request
    timeout_s = project.SLOW_STACK_TIMEOUT_S if request.name == "mwaa" else project.TIMEOUT_S
    if plan.proposed is not None:
        done = apply_change_set(
            cloudformation, plan.proposed, on_progress=on_progress, timeout_s=timeout_s, sleep=sleep
        )
    else:
        done = deploy_stack(
            cloudformation,
            request.stack,
            request.parameters,
            template_body=request.template,
            role_arn=request.role_arn,
            tags=request.tags,
            on_progress=on_progress,
            timeout_s=timeout_s,
            sleep=sleep,
        )
    project.finish(clients, settings, request.name, done)
    return done


def discard(clients: Clients, plans: Sequence[StackPlan]) -> None:
    """Drop the change sets of plans that a person did not want."""
    for plan in plans:
        if plan.proposed is not None:
            change_set.discard(clients("cloudformation"), plan.proposed)


def resources(template: str) -> tuple[Change, ...]:
    """The resources of a template, as additions; which of them a parameter leaves out is CloudFormation's to say."""
    found = template_document(template)["Resources"]
    return tuple(Change("Add", name, str(body["Type"])) for name, body in found.items())


def stack_text(plan: StackPlan) -> str:
    """The plan of one stack as lines: each change, but additions of a new stack by their type."""
    head = f"  {plan.request.stack:<34} {plan.action if plan.action != 'nothing' else 'no change'}"
    if plan.action == "nothing":
        return head
    head += f", {len(plan.changes)} resources" + (f" ({plan.note})" if plan.note else "")
    lines = _types(plan.changes) if plan.action == "create" else _changes(plan.changes)
    return "\n".join([head, *(f"      {line}" for line in lines)])


def _types(changes: Sequence[Change]) -> Iterator[str]:
    for resource_type, count in sorted(Counter(change.resource_type for change in changes).items()):
        yield f"+ {count} {resource_type}"


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        effect = REPLACED.get(change.replacement, "")
        sign = "!" if effect else SIGNS.get(change.action, "?")
        yield f"{sign} {change.logical_id} ({change.resource_type})" + (f", {effect}" if effect else "")


def is_denied(error: ClientError) -> bool:
    """Whether AWS refused a call for want of a right."""
    return error.response.get("Error", {}).get("Code") in ("AccessDenied", "AccessDeniedException")
