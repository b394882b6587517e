"""Change sets: proposed, looked at, executed or dropped."""

import uuid
from typing import Any

from infra.localaws.cloudformation.changes import changes, is_unchanged
from infra.localaws.cloudformation.errors import AlreadyExists, ChangeSetNotFound, InvalidChangeSetStatus, Refused
from infra.localaws.cloudformation.parameters import given_values
from infra.localaws.cloudformation.plan import Plan
from infra.localaws.cloudformation.stack import ChangeSet, Stack
from infra.localaws.cloudformation.stacks import (
    Stacks,
    check_capabilities,
    check_updatable,
    on_failure,
    tags_of,
)
from infra.localaws.world import ACCOUNT_ID

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."

Request = dict[str, Any]


class ChangeSets:
    """Kept in moto's CloudFormation backend (`change_sets`)."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._kept: dict[str, ChangeSet] = stacks.backend.change_sets

    def create(self, request: Request) -> ChangeSet:
        kind = request.get("ChangeSetType") or "UPDATE"
        if kind not in ("CREATE", "UPDATE"):
            raise Refused(f"ChangeSetType {kind} is not supported by local AWS")
        previous = self._stack_for(kind, request["StackName"])
        body, template = self._stacks.template_of(request, previous)
        check_capabilities(template, request)
        given = request.get("Parameters") or []
        texts = given_values(template, given, previous.parameters if previous else {})
        stack = previous or self._stacks.new(request)
        tags = tags_of(request)
        tags = stack.tags if tags is None else tags
        if any(c.stack_id == stack.stack_id and c.name == request["ChangeSetName"] for c in self._kept.values()):
            raise AlreadyExists(f"ChangeSet {request['ChangeSetName']} already exists")
        found = changes(stack, Plan(stack, template, texts, self._stacks.around))
        unchanged = kind == "UPDATE" and is_unchanged(stack, Plan(stack, template, texts, self._stacks.around), tags)
        change_set = ChangeSet(
            f"arn:aws:cloudformation:{self._stacks.region}:{ACCOUNT_ID}:changeSet/{request['ChangeSetName']}/{uuid.uuid4()}",
            request["ChangeSetName"],
            kind,
            stack.stack_id,
            stack.name,
            body,
            texts,
            tags,
            request.get("Capabilities") or [],
            request.get("NotificationARNs") or [],
            request.get("RoleARN"),
            request.get("Description"),
            on_failure({"OnFailure": request.get("OnStackFailure")}),
            status="FAILED" if unchanged else "CREATE_COMPLETE",
            execution_status="UNAVAILABLE" if unchanged else "AVAILABLE",
            reason=NO_CHANGES if unchanged else None,
            changes=found,
        )
        if previous is None:
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
            self._stacks.backend.stacks[stack.stack_id] = stack
        self._kept[change_set.change_set_id] = change_set
        return change_set

    def find(self, request: Request) -> ChangeSet:
        """By ARN, or by its name and its stack's; ChangeSetNotFound where there is none."""
        name, stack = request["ChangeSetName"], request.get("StackName")
        for change_set in self._kept.values():
            if change_set.change_set_id == name:
                return change_set
            if change_set.name == name and stack in (change_set.stack_name, change_set.stack_id):
                return change_set
        raise ChangeSetNotFound(f"ChangeSet [{name}] does not exist")

    def of(self, stack: Stack) -> list[ChangeSet]:
        return [change_set for change_set in self._kept.values() if change_set.stack_id == stack.stack_id]

    def delete(self, request: Request) -> None:
        """Dropping a change set that is not there is done already."""
        try:
            change_set = self.find(request)
        except ChangeSetNotFound:
            return
        self._kept.pop(change_set.change_set_id, None)

    def execute(self, request: Request) -> None:
        change_set = self.find(request)
        if change_set.execution_status != "AVAILABLE":
            raise InvalidChangeSetStatus(
                f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of "
                f"[{change_set.status}]"
            )
        stack = self._stacks.find(change_set.stack_id, deleted=False)
        template = self._stacks.template_of({"TemplateBody": change_set.template_body}, None)[1]
        plan = Plan(stack, template, change_set.parameters, self._stacks.around)
        stack.on_failure = "DO_NOTHING" if request.get("DisableRollback") else change_set.on_failure
        stack.change_set_id = change_set.change_set_id
        if stack.status == "REVIEW_IN_PROGRESS":
            stack.tags, stack.capabilities = change_set.tags, change_set.capabilities
            stack.role_arn = change_set.role_arn or stack.role_arn
            work = self._stacks.begin_create(stack, change_set.template_body, plan, change_set.parameters)
        else:
            check_updatable(stack)
            asked = {"Capabilities": change_set.capabilities, "RoleARN": change_set.role_arn}
            work = self._stacks.begin_update(
                stack, change_set.template_body, plan, change_set.parameters, asked, change_set.tags
            )
        change_set.execution_status = "EXECUTE_IN_PROGRESS"
        for other in self.of(stack):
            if other is not change_set:
                del self._kept[other.change_set_id]

        def run() -> None:
            work()
            done = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            change_set.execution_status = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"

        self._stacks.run(run)

    def _stack_for(self, kind: str, name: str) -> Stack | None:
        """The stack to change; for CREATE one that is only under review, or None for a new one."""
        found = [stack for stack in self._stacks if name in (stack.name, stack.stack_id)]
        if kind == "CREATE":
            if found and found[0].status != "REVIEW_IN_PROGRESS":
                raise AlreadyExists(f"Stack [{name}] already exists and cannot be created again with a change set")
            return found[0] if found else None
        if not found:
            raise Refused(f"Stack [{name}] does not exist")
        check_updatable(found[0])
        return found[0]
