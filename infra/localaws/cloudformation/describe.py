"""Stacks, events and change sets as the API shows them; NoEcho parameters are hidden."""

from typing import Any

from infra.localaws.cloudformation.stack import ChangeSet, Stack, StackEvent, StackResource
from infra.localaws.cloudformation.template import Template, required_capabilities

Shown = dict[str, Any]


def stack(stack: Stack) -> Shown:
    return _present(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "ChangeSetId": stack.change_set_id,
            "Description": stack.template.get("Description"),
            "Parameters": _parameters(stack.template, stack.parameters),
            "CreationTime": stack.created_at,
            "DeletionTime": stack.deleted_at,
            "LastUpdatedTime": stack.updated_at,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DisableRollback": stack.on_failure == "DO_NOTHING",
            "NotificationARNs": stack.notification_arns,
            "TimeoutInMinutes": stack.timeout_minutes,
            "Capabilities": stack.capabilities,
            "Outputs": stack.outputs,
            "RoleARN": stack.role_arn,
            "Tags": _tags(stack.tags),
            "EnableTerminationProtection": stack.termination_protection,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
    )


def summary(stack: Stack) -> Shown:
    return _present(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "TemplateDescription": stack.template.get("Description"),
            "CreationTime": stack.created_at,
            "LastUpdatedTime": stack.updated_at,
            "DeletionTime": stack.deleted_at,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
    )


def event(stack: Stack, event: StackEvent) -> Shown:
    return _present(
        {
            "StackId": stack.stack_id,
            "EventId": event.event_id,
            "StackName": stack.name,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id,
            "ResourceType": event.type,
            "Timestamp": event.at,
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason,
            "ResourceProperties": event.properties,
        }
    )


def resource(stack: Stack, resource: StackResource, timestamp: str) -> Shown:
    """`timestamp` is the name that the time has in the action's answer."""
    return _present(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id or None,
            "ResourceType": resource.type,
            timestamp: resource.at,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
    )


def change_set(change_set: ChangeSet) -> Shown:
    from infra.localaws.cloudformation.template import parse

    shown = change_set_summary(change_set) | {
        "Parameters": _parameters(parse(change_set.template_body), change_set.parameters),
        "NotificationARNs": change_set.notification_arns,
        "Capabilities": change_set.capabilities,
        "Tags": _tags(change_set.tags),
        "Changes": change_set.changes,
        "OnStackFailure": change_set.on_failure,
        "IncludeNestedStacks": False,
    }
    return _present(shown)


def change_set_summary(change_set: ChangeSet) -> Shown:
    return _present(
        {
            "ChangeSetId": change_set.change_set_id,
            "ChangeSetName": change_set.name,
            "StackId": change_set.stack_id,
            "StackName": change_set.stack_name,
            "Description": change_set.description,
            "CreationTime": change_set.created_at,
            "ExecutionStatus": change_set.execution_status,
            "Status": change_set.status,
            "StatusReason": change_set.reason,
        }
    )


def template_summary(template: Template) -> Shown:
    declared = (template.get("Parameters") or {}).items()
    capability = required_capabilities(template)
    return _present(
        {
            "Parameters": [
                _present(
                    {
                        "ParameterKey": key,
                        "DefaultValue": str(rules["Default"]) if "Default" in rules else None,
                        "ParameterType": rules["Type"],
                        "NoEcho": _no_echo(rules),
                        "Description": rules.get("Description"),
                        "ParameterConstraints": {"AllowedValues": [str(v) for v in rules.get("AllowedValues", [])]},
                    }
                )
                for key, rules in declared
            ],
            "Description": template.get("Description"),
            "Capabilities": [capability] if capability else None,
            "ResourceTypes": sorted({r["Type"] for r in template["Resources"].values()}),
            "Version": template.get("AWSTemplateFormatVersion"),
        }
    )


def validation(template: Template) -> Shown:
    """ValidateTemplate's answer; its parameters have a shape of their own."""
    capability = required_capabilities(template)
    return _present(
        {
            "Parameters": [
                _present(
                    {
                        "ParameterKey": key,
                        "DefaultValue": str(rules["Default"]) if "Default" in rules else None,
                        "NoEcho": _no_echo(rules),
                        "Description": rules.get("Description"),
                    }
                )
                for key, rules in (template.get("Parameters") or {}).items()
            ],
            "Description": template.get("Description"),
            "Capabilities": [capability] if capability else None,
        }
    )


def _parameters(template: Template, texts: dict[str, str]) -> list[Shown]:
    declared = template.get("Parameters") or {}
    return [
        {"ParameterKey": key, "ParameterValue": "****" if _no_echo(declared.get(key, {})) else text}
        for key, text in texts.items()
    ]


def _no_echo(rules: dict[str, Any]) -> bool:
    return str(rules.get("NoEcho", False)).lower() == "true"


def _tags(tags: dict[str, str]) -> list[Shown]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _present(shown: Shown) -> Shown:
    return {key: value for key, value in shown.items() if value is not None}
