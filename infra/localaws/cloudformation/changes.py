"""What an update would do, as a change set shows it; nothing at all is an empty list."""

from typing import Any

from infra.localaws.cloudformation.adapters import HANDLERS
from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import changed
from infra.localaws.cloudformation.plan import Plan
from infra.localaws.cloudformation.stack import Stack, StackResource


def changes(stack: Stack, plan: Plan) -> list[dict[str, Any]]:
    """Changes of resources (DescribeChangeSet's `Changes`)."""
    plan.preview(stack.resources)
    found = []
    for name in plan.order:
        before, after = stack.resources.get(name), _wanted(plan, name)
        if before is None:
            found.append(_change("Add", after))
        elif change := _modification(before, after):
            found.append(change)
            _forget_if_replaced(plan, name, change)
    removed = [resource for name, resource in stack.resources.items() if name not in plan.resources]
    return found + [_change("Remove", resource) for resource in removed]


def is_unchanged(stack: Stack, plan: Plan, tags: dict[str, str]) -> bool:
    """Whether there is nothing to do at all: resources, outputs and tags are as they were."""
    return not changes(stack, plan) and plan.outputs() == stack.outputs and tags == stack.tags


def _wanted(plan: Plan, name: str) -> StackResource:
    try:
        return plan.resource(name)
    except ResourceError:
        wanted = plan.resources[name]
        return StackResource(name, wanted["Type"], wanted.get("Properties") or {})


def _modification(before: StackResource, after: StackResource) -> dict[str, Any] | None:
    names, handler = changed(before.properties, after.properties), HANDLERS.get(after.type)
    if before.type != after.type or handler is None:
        return _change("Modify", after, before.physical_id, "True", names)
    replacing = set(handler.replaces(before.properties, after.properties)) if names else set()
    details = [_detail(name, "Always" if name in replacing else "Never") for name in names]
    if names:
        replacement = "True" if replacing else "False"
        return _change("Modify", after, before.physical_id, replacement, ["Properties"], details)
    if before.metadata != after.metadata:
        return _change("Modify", after, before.physical_id, "False", ["Metadata"])
    if (before.deletion_policy, before.replace_policy) != (after.deletion_policy, after.replace_policy):
        return _change("Modify", after, before.physical_id, "False", ["DeletionPolicy"])
    return None


def _forget_if_replaced(plan: Plan, name: str, change: dict[str, Any]) -> None:
    """What refers to a resource that will be replaced gets a value that is not known yet."""
    if change["ResourceChange"].get("Replacement") == "True":
        plan.made.pop(name, None)


def _detail(name: str, recreation: str) -> dict[str, Any]:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def _change(
    action: str,
    resource: StackResource,
    physical_id: str = "",
    replacement: str | None = None,
    scope: list[str] | None = None,
    details: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    change: dict[str, Any] = {
        "Action": action,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "Scope": scope or [],
        "Details": details or [],
    }
    if physical := physical_id or resource.physical_id:
        change["PhysicalResourceId"] = physical
    if replacement:
        change["Replacement"] = replacement
    return {"Type": "Resource", "ResourceChange": change}
