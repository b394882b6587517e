"""Creates, updates and deletes stacks; a failure is rolled back (`rollback.py` holds the way back)."""

from collections.abc import Callable

from botocore.exceptions import ClientError

from infra.localaws.cloudformation.adapters import HANDLERS
from infra.localaws.cloudformation.clients import Clients
from infra.localaws.cloudformation.errors import CloudFormationFault, ResourceError
from infra.localaws.cloudformation.handler import Target, is_missing
from infra.localaws.cloudformation.plan import Plan
from infra.localaws.cloudformation.stack import Stack, StackResource, UpdateUndo
from infra.localaws.world import ACCOUNT_ID, log


class StoppedError(Exception):
    """The operation cannot go on; the text is the reason of the stack's state."""


class Resources:
    """Brings single resources about, with their events."""

    def __init__(self, clients: Clients, save: Callable[[], None]) -> None:
        self._clients = clients
        self._save = save

    def create(self, stack: Stack, resource: StackResource) -> None:
        """Make it; raises StoppedError with its event written."""
        stack.resource_event(resource, "CREATE_IN_PROGRESS")
        try:
            if HANDLERS[resource.type].kept_at_once:
                self._save()
            made = HANDLERS[resource.type].create(self._target(stack, resource), resource.properties)
        except Exception as error:
            self._fail(stack, resource, "CREATE_FAILED", error)
        resource.physical_id, resource.attributes = made.physical_id, made.attributes
        stack.resource_event(resource, "CREATE_COMPLETE")

    def update(self, stack: Stack, before: StackResource, after: StackResource) -> None:
        """Change `before` in place into `after`, which takes over its physical id; raises StoppedError."""
        after.physical_id, after.attributes = before.physical_id, dict(before.attributes)
        stack.resource_event(after, "UPDATE_IN_PROGRESS")
        try:
            target = self._target(stack, after)
            if before.properties != after.properties:
                handler = HANDLERS[after.type]
                made = handler.update(target, before.physical_id, before.properties, after.properties)
                after.attributes |= made.attributes
        except Exception as error:
            self._fail(stack, after, "UPDATE_FAILED", error)
        stack.resource_event(after, "UPDATE_COMPLETE")

    def delete(self, stack: Stack, resource: StackResource) -> None:
        """Delete it unless it is gone already or was never made; raises StoppedError."""
        physical_id = resource.physical_id or _name_in_the_making(resource)
        stack.resource_event(resource, "DELETE_IN_PROGRESS")
        try:
            if physical_id:
                target = self._target(stack, resource)
                HANDLERS[resource.type].delete(target, physical_id, resource.properties)
        except Exception as error:
            if not is_missing(error):
                self._fail(stack, resource, "DELETE_FAILED", error)
        stack.resource_event(resource, "DELETE_COMPLETE")

    def _target(self, stack: Stack, resource: StackResource) -> Target:
        client = self._clients.client_for(stack.region, stack.role_arn)
        place = (stack.name, stack.stack_id, resource.logical_id, stack.region, ACCOUNT_ID)
        return Target(*place, stack.tags, client)

    def _fail(self, stack: Stack, resource: StackResource, status: str, error: Exception) -> None:
        if not isinstance(error, (ClientError, ResourceError)):
            log.exception("stack %s, resource %s", stack.name, resource.logical_id, exc_info=error)
        reason = f'Resource handler returned message: "{error}" (HandlerErrorCode: {_code(error)})'
        stack.resource_event(resource, status, reason)
        raise StoppedError(f"The following resource(s) failed: [{resource.logical_id}]. {reason}") from error


def _name_in_the_making(resource: StackResource) -> str:
    """The name of a resource whose creation was cut off by a restart: it may have been made, or not yet.

    One that was there before makes the creation fail, so its status says that it is not ours to delete.
    """
    name = HANDLERS[resource.type].name_property
    if resource.status != "CREATE_IN_PROGRESS" or name is None:
        return ""
    return str(resource.properties.get(name, ""))


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "GeneralServiceException"))
    return "InvalidRequest" if isinstance(error, ResourceError) else "InternalFailure"


class Engine:
    """Runs one operation on one stack to its end; the caller has put the stack into its first state."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def create(self, stack: Stack, plan: Plan) -> None:
        """Make everything; raises StoppedError."""
        self._refuse_unsupported(stack, plan, "CREATE_FAILED")
        for name in plan.order:
            resource = self._wanted(stack, plan, name, "CREATE_FAILED")
            stack.resources[name] = plan.made[name] = resource
            self._resources.create(stack, resource)
        self._finish(stack, plan)

    def update(self, stack: Stack, plan: Plan) -> None:
        """Bring the stack to a new template; `stack.undo` says how to take it back. Raises StoppedError."""
        undo = stack.undo
        assert undo is not None
        self._refuse_unsupported(stack, plan, "UPDATE_FAILED")
        for name in plan.order:
            wanted, before = self._wanted(stack, plan, name, "UPDATE_FAILED"), undo.resources.get(name)
            if before is None or self._needs_replacement(stack, before, wanted):
                self._replace(stack, undo, before, wanted)
            elif _differs(before, wanted):
                undo.changed.append(name)
                stack.resources[name] = wanted
                self._resources.update(stack, before, wanted)
            else:
                wanted = before
            plan.made[name] = stack.resources[name] = wanted
        undo.obsolete += [undo.resources[name] for name in undo.resources if name not in plan.resources]
        self._finish(stack, plan)
        stack.resources = {name: stack.resources[name] for name in plan.order}

    def delete_all(self, stack: Stack, resources: list[StackResource], keep: frozenset[str]) -> list[str]:
        """Delete in reverse order of creation; returns the logical ids that failed."""
        failed = []
        for resource in reversed(resources):
            if resource.status == "DELETE_COMPLETE":
                continue
            if resource.logical_id in keep:
                stack.resource_event(resource, "DELETE_SKIPPED")
                continue
            try:
                self._resources.delete(stack, resource)
            except StoppedError:
                failed.append(resource.logical_id)
        return failed

    def _replace(self, stack: Stack, undo: UpdateUndo, before: StackResource | None, wanted: StackResource) -> None:
        stack.resources[wanted.logical_id] = wanted
        undo.created.append(wanted)
        self._resources.create(stack, wanted)
        if before is not None:
            undo.obsolete.append(before)

    def _needs_replacement(self, stack: Stack, before: StackResource, wanted: StackResource) -> bool:
        if before.type != wanted.type:
            return True
        handler = HANDLERS[wanted.type]
        if before.properties == wanted.properties or not handler.replaces(before.properties, wanted.properties):
            return False
        name = handler.name_property
        if name and name in wanted.properties and wanted.properties[name] == before.properties.get(name):
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {wanted.properties[name]} and update the stack again."
            )
            wanted.physical_id, wanted.attributes = before.physical_id, before.attributes
            stack.resource_event(wanted, "UPDATE_FAILED", reason)
            raise StoppedError(reason)
        return True

    def _wanted(self, stack: Stack, plan: Plan, name: str, failed: str) -> StackResource:
        try:
            return plan.resource(name)
        except (ResourceError, CloudFormationFault) as error:
            raise self._stopped_at(stack, plan, name, failed, getattr(error, "message", str(error))) from error

    def _refuse_unsupported(self, stack: Stack, plan: Plan, failed: str) -> None:
        if found := plan.unsupported():
            raise self._stopped_at(stack, plan, found[0], failed, found[1])

    def _stopped_at(self, stack: Stack, plan: Plan, name: str, failed: str, reason: str) -> StoppedError:
        stack.resource_event(StackResource(name, plan.resources[name]["Type"], {}), failed, reason)
        return StoppedError(f"The following resource(s) failed: [{name}]. {reason}")

    def _finish(self, stack: Stack, plan: Plan) -> None:
        try:
            outputs = plan.outputs()
        except CloudFormationFault as error:
            raise StoppedError(error.message) from error
        stack.outputs, stack.imports = outputs, sorted(plan.imports)


def _differs(before: StackResource, wanted: StackResource) -> bool:
    return (before.properties, before.metadata, before.deletion_policy, before.replace_policy) != (
        wanted.properties,
        wanted.metadata,
        wanted.deletion_policy,
        wanted.replace_policy,
    )
