"""CloudFormation's actions, put behind moto's dispatcher; an action that is not here is refused by name."""

from collections.abc import Callable
from typing import Any

from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores

from infra.localaws.cloudformation import describe
from infra.localaws.cloudformation.change_sets import ChangeSets
from infra.localaws.cloudformation.errors import Refused
from infra.localaws.cloudformation.stack import StackEvent
from infra.localaws.cloudformation.stacks import Stacks
from infra.localaws.cloudformation.template import check_request

EVENTS_A_PAGE = 100

Request = dict[str, Any]
StacksFor = Callable[[str], Stacks]
Action = Callable[[Stacks, Request], dict[str, Any] | None]


def install_actions(stacks_for: StacksFor) -> None:
    """Answer every action of the service by ours."""
    for name in _all_operations():
        action = ACTIONS.get(name)
        setattr(CloudFormationResponse, camelcase_to_underscores(name), _responder(name, action, stacks_for))
    CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}


def _responder(name: str, action: Action | None, stacks_for: StacksFor) -> Callable[[CloudFormationResponse], Any]:
    def respond(response: CloudFormationResponse) -> ActionResult:
        if action is None:
            raise Refused(f"{name} is not supported by local AWS")
        request = dict(response._get_params() or {})
        check_request(request)
        return ActionResult(action(stacks_for(response.region), request) or {})

    return respond


def _all_operations() -> list[str]:
    import botocore.session

    return list(botocore.session.get_session().get_service_model("cloudformation").operation_names)


def _create_stack(stacks: Stacks, request: Request) -> dict[str, Any]:
    return {"StackId": stacks.create(request).stack_id}


def _update_stack(stacks: Stacks, request: Request) -> dict[str, Any]:
    return {"StackId": stacks.update(request).stack_id}


def _delete_stack(stacks: Stacks, request: Request) -> None:
    stacks.delete(request)


def _describe_stacks(stacks: Stacks, request: Request) -> dict[str, Any]:
    name = request.get("StackName")
    found = [stacks.find(name)] if name else list(stacks)
    return {"Stacks": [describe.stack(stack) for stack in found]}


def _list_stacks(stacks: Stacks, request: Request) -> dict[str, Any]:
    wanted = request.get("StackStatusFilter")
    found = [*stacks, *stacks.backend.deleted_stacks.values()]
    return {"StackSummaries": [describe.summary(s) for s in found if not wanted or s.status in wanted]}


def _describe_stack_events(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack = stacks.find(request["StackName"])
    events = list(reversed(stack.events))
    first = _first_of_page(events, request.get("NextToken"))
    answer: dict[str, Any] = {"StackEvents": [describe.event(stack, e) for e in events[first : first + EVENTS_A_PAGE]]}
    if len(events) > first + EVENTS_A_PAGE:
        answer["NextToken"] = events[first + EVENTS_A_PAGE].event_id
    return answer


def _first_of_page(events: list[StackEvent], token: str | None) -> int:
    """A page begins with the event that its token names: newer ones that came since do not move it."""
    if token is None:
        return 0
    found = next((index for index, event in enumerate(events) if event.event_id == token), None)
    if found is None:
        raise Refused("Invalid NextToken")
    return found


def _describe_stack_resources(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack, wanted = stacks.find(request["StackName"]), request.get("LogicalResourceId")
    found = [r for r in stack.resources.values() if wanted in (None, r.logical_id)]
    return {"StackResources": [describe.resource(stack, r, "Timestamp") for r in found]}


def _describe_stack_resource(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack, wanted = stacks.find(request["StackName"]), request["LogicalResourceId"]
    if wanted not in stack.resources:
        raise Refused(f"Resource {wanted} does not exist for stack {stack.name}")
    return {"StackResourceDetail": describe.resource(stack, stack.resources[wanted], "LastUpdatedTimestamp")}


def _list_stack_resources(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack = stacks.find(request["StackName"])
    shown = [describe.resource(stack, r, "LastUpdatedTimestamp") for r in stack.resources.values()]
    return {"StackResourceSummaries": shown}


def _get_template(stacks: Stacks, request: Request) -> dict[str, Any]:
    if request.get("ChangeSetName"):
        body = ChangeSets(stacks).find(request).template_body
    else:
        body = stacks.find(request["StackName"]).template_body
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


def _get_template_summary(stacks: Stacks, request: Request) -> dict[str, Any]:
    previous = stacks.find(request["StackName"]) if request.get("StackName") else None
    asked = request | {"UsePreviousTemplate": True} if previous else request
    return describe.template_summary(stacks.template_of(asked, previous)[1])


def _validate_template(stacks: Stacks, request: Request) -> dict[str, Any]:
    return describe.validation(stacks.template_of(request, None)[1])


def _get_stack_policy(stacks: Stacks, request: Request) -> dict[str, Any]:
    return {"StackPolicyBody": stacks.find(request["StackName"]).policy}


def _update_termination_protection(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack = stacks.find(request["StackName"], deleted=False)
    stack.termination_protection = bool(request["EnableTerminationProtection"])
    return {"StackId": stack.stack_id}


def _continue_update_rollback(stacks: Stacks, request: Request) -> None:
    stacks.continue_rollback(request)


def _list_exports(stacks: Stacks, _request: Request) -> dict[str, Any]:
    found = [(stack.stack_id, name, value) for stack in stacks for name, value in stack.exports().items()]
    return {"Exports": [{"ExportingStackId": i, "Name": n, "Value": v} for i, n, v in sorted(found)]}


def _list_imports(stacks: Stacks, request: Request) -> dict[str, Any]:
    importing = [stack.name for stack in stacks if request["ExportName"] in stack.imports]
    if not importing:
        raise Refused(f"Export '{request['ExportName']}' is not imported by any stack.")
    return {"Imports": importing}


def _create_change_set(stacks: Stacks, request: Request) -> dict[str, Any]:
    made = ChangeSets(stacks).create(request)
    return {"Id": made.change_set_id, "StackId": made.stack_id}


def _describe_change_set(stacks: Stacks, request: Request) -> dict[str, Any]:
    return describe.change_set(ChangeSets(stacks).find(request))


def _list_change_sets(stacks: Stacks, request: Request) -> dict[str, Any]:
    stack = stacks.find(request["StackName"])
    return {"Summaries": [describe.change_set_summary(c) for c in ChangeSets(stacks).of(stack)]}


def _delete_change_set(stacks: Stacks, request: Request) -> None:
    ChangeSets(stacks).delete(request)


def _execute_change_set(stacks: Stacks, request: Request) -> None:
    ChangeSets(stacks).execute(request)


ACTIONS: dict[str, Action] = {
    "CreateStack": _create_stack,
    "UpdateStack": _update_stack,
    "DeleteStack": _delete_stack,
    "DescribeStacks": _describe_stacks,
    "ListStacks": _list_stacks,
    "DescribeStackEvents": _describe_stack_events,
    "DescribeStackResources": _describe_stack_resources,
    "DescribeStackResource": _describe_stack_resource,
    "ListStackResources": _list_stack_resources,
    "GetTemplate": _get_template,
    "GetTemplateSummary": _get_template_summary,
    "ValidateTemplate": _validate_template,
    "GetStackPolicy": _get_stack_policy,
    "UpdateTerminationProtection": _update_termination_protection,
    "ContinueUpdateRollback": _continue_update_rollback,
    "ListExports": _list_exports,
    "ListImports": _list_imports,
    "CreateChangeSet": _create_change_set,
    "DescribeChangeSet": _describe_change_set,
    "ListChangeSets": _list_change_sets,
    "DeleteChangeSet": _delete_change_set,
    "ExecuteChangeSet": _execute_change_set,
}
