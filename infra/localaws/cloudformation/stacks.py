"""The stacks of an account and region: requests checked, operations started, states guarded."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.localaws.cloudformation.changes import is_unchanged
from infra.localaws.cloudformation.clients import wait_until_served
from infra.localaws.cloudformation.errors import AlreadyExists, InsufficientCapabilities, Refused
from infra.localaws.cloudformation.parameters import given_values
from infra.localaws.cloudformation.plan import Plan, Surroundings
from infra.localaws.cloudformation.rollback import Operations
from infra.localaws.cloudformation.stack import Stack, UpdateUndo, now
from infra.localaws.cloudformation.template import Template, from_s3, parse, required_capabilities
from infra.localaws.iam.guard import caller
from infra.localaws.iam.needs import Need
from infra.localaws.world import ACCOUNT_ID, World, log

ANSWER_AFTER_S = 2.0
"""CreateStack and its like answer when the work is done, at the latest after this; AWS answers at once."""

UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED")

Request = dict[str, Any]
Parsed = tuple[str, Template]


class Stacks:
    """Kept in moto's CloudFormation backend (`stacks`, `deleted_stacks`), so that they are part of its state."""

    def __init__(
        self, backend: Any, region: str, world: World, operations: Operations, client: Callable[[str], Any]
    ) -> None:
        self.backend = backend
        self.region = region
        self._world = world
        self._operations = operations
        self._client = client
        self._starting = threading.Lock()
        self.around = Surroundings(self.exports, self._ssm_value)

    def __iter__(self) -> Iterator[Stack]:
        return iter(list(self.backend.stacks.values()))

    def exports(self) -> dict[str, str]:
        return {name: value for stack in self for name, value in stack.exports().items()}

    def find(self, name_or_id: str, deleted: bool = True) -> Stack:
        """A stack by name, or by id even when it is deleted; Refused where there is none."""
        for stack in self:
            if name_or_id in (stack.name, stack.stack_id):
                return stack
        if deleted and name_or_id in self.backend.deleted_stacks:
            buried: Stack = self.backend.deleted_stacks[name_or_id]
            return buried
        raise Refused(f"Stack with id {name_or_id} does not exist")

    def template_of(self, request: Request, previous: Stack | None) -> Parsed:
        """The template of a request: TemplateBody, TemplateURL in local S3, or the previous one."""
        body = request.get("TemplateBody")
        if request.get("TemplateURL"):
            body = self._fetch(request["TemplateURL"])
        elif previous is not None and request.get("UsePreviousTemplate"):
            body = previous.template_body
        if not body:
            raise Refused("Either Template URL or Template Body must be specified.")
        return body, parse(body)

    def new(self, request: Request) -> Stack:
        name = request["StackName"]
        stack_id = f"arn:aws:cloudformation:{self.region}:{ACCOUNT_ID}:stack/{name}/{uuid.uuid4()}"
        stack = Stack(stack_id, name, self.region, tags=tags_of(request) or {}, on_failure=on_failure(request))
        stack.capabilities = request.get("Capabilities") or []
        stack.notification_arns = request.get("NotificationARNs") or []
        stack.role_arn, stack.policy = request.get("RoleARN"), request.get("StackPolicyBody")
        stack.termination_protection = bool(request.get("EnableTerminationProtection"))
        stack.timeout_minutes = request.get("TimeoutInMinutes")
        return stack

    def create(self, request: Request) -> Stack:
        body, template = self.template_of(request, None)
        check_capabilities(template, request)
        with self._starting:
            if any(stack.name == request["StackName"] for stack in self):
                raise AlreadyExists(f"Stack [{request['StackName']}] already exists")
            stack = self.new(request)
            texts = given_values(template, request.get("Parameters") or [], {})
            plan = Plan(stack, template, texts, self.around)
            work = self.begin_create(stack, body, plan, texts)
            self.backend.stacks[stack.stack_id] = stack
        self.run(work)
        return stack

    def begin_create(self, stack: Stack, body: str, plan: Plan, texts: dict[str, str]) -> Callable[[], None]:
        take_service_role(stack, stack.role_arn)
        stack.template_body, stack.template, stack.parameters = body, plan.template, texts
        stack.set_status("CREATE_IN_PROGRESS", "User Initiated")

        def work() -> None:
            self._operations.create(stack, plan)
            self._bury(stack)

        return work

    def update(self, request: Request) -> Stack:
        stack = self.find(request["StackName"], deleted=False)
        body, template = self.template_of(request, stack)
        check_capabilities(template, request)
        with self._starting:
            check_updatable(stack)
            texts = given_values(template, request.get("Parameters") or [], stack.parameters)
            tags = tags_of(request)
            tags = stack.tags if tags is None else tags
            if is_unchanged(stack, Plan(stack, template, texts, self.around), tags):
                raise Refused("No updates are to be performed.")
            stack.on_failure = "DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"
            work = self.begin_update(stack, body, Plan(stack, template, texts, self.around), texts, request, tags)
        self.run(work)
        return stack

    def begin_update(
        self, stack: Stack, body: str, plan: Plan, texts: dict[str, str], request: Request, tags: dict[str, str]
    ) -> Callable[[], None]:
        take_service_role(stack, request.get("RoleARN"))
        stack.undo = UpdateUndo(
            stack.template_body,
            stack.template,
            stack.parameters,
            stack.tags,
            stack.capabilities,
            dict(stack.resources),
        )
        stack.template_body, stack.template, stack.parameters, stack.tags = body, plan.template, texts, tags
        stack.resources = dict(stack.resources)
        stack.capabilities = request.get("Capabilities") or []
        stack.updated_at = now()
        stack.set_status("UPDATE_IN_PROGRESS", "User Initiated")
        return lambda: self._operations.update(stack, plan)

    def delete(self, request: Request) -> None:
        """Deleting what is not there is done already, as on AWS."""
        with self._starting:
            found = [s for s in self if request["StackName"] in (s.name, s.stack_id)]
            if not found:
                return
            stack = found[0]
            self._check_deletable(stack)
            take_service_role(stack, request.get("RoleARN"))
            stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        keep = frozenset(request.get("RetainResources") or ())

        def work() -> None:
            self._operations.delete(stack, keep)
            self._bury(stack)

        self.run(work)

    def continue_rollback(self, request: Request) -> None:
        """Try a failed rollback again, without the resources to skip: the stack takes them for rolled back."""
        stack = self.find(request["StackName"], deleted=False)
        with self._starting:
            if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.undo is None:
                raise Refused(f"Stack:{stack.stack_id} is in {stack.status} state and can not be rolled back.")
            skipped = request.get("ResourcesToSkip") or []
            failed = {name for name, r in stack.resources.items() if r.status == "UPDATE_FAILED"}
            failed |= {name for name, r in stack.undo.resources.items() if r.status == "UPDATE_FAILED"}
            if unsuitable := sorted(set(skipped) - failed):
                raise Refused(f"Resources {unsuitable} of the skip list are not in UPDATE_FAILED state")
            take_service_role(stack, request.get("RoleARN"))
            stack.undo.changed = [name for name in stack.undo.changed if name not in skipped]
            stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        self.run(lambda: self._operations.roll_back_update(stack))

    def resume(self) -> None:
        """End in the background what a restart cut off."""
        for stack in self:
            if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
                self.run(partial(self._resume, stack), wait_s=0)

    def _resume(self, stack: Stack) -> None:
        wait_until_served(self._world.config)
        self._operations.resume(stack)
        self._bury(stack)

    def run(self, work: Callable[[], Any], wait_s: float = ANSWER_AFTER_S) -> None:
        """Do it in a thread of its own; wait a little, so that quick work is done when the caller asks."""

        def guarded() -> None:
            try:
                work()
            except Exception:
                log.exception("CloudFormation")
            self._world.mark_changed()

        thread = threading.Thread(target=guarded, name="cloudformation", daemon=True)
        thread.start()
        thread.join(wait_s)

    def _bury(self, stack: Stack) -> None:
        if stack.status == "DELETE_COMPLETE":
            self.backend.deleted_stacks[stack.stack_id] = stack
            self.backend.stacks.pop(stack.stack_id, None)

    def _check_deletable(self, stack: Stack) -> None:
        if stack.termination_protection:
            raise Refused(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            raise Refused(f"Stack [{stack.stack_id}] cannot be deleted while in status {stack.status}")
        for other in self:
            if used := sorted(set(stack.exports()) & set(other.imports)):
                raise Refused(f"Export {used[0]} cannot be deleted as it is in use by {other.name}")

    def _fetch(self, url: str) -> str:
        bucket, key = bucket_and_key(url)
        try:
            self._world.guard.require(Need("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"))
            found = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except Exception as error:
            raise Refused(f"S3 error: {error}") from error
        return from_s3(found)

    def _ssm_value(self, name: str) -> str:
        try:
            return str(self._client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
        except Exception as error:
            raise Refused(f"Parameters: [ssm:{name}] cannot be found in the parameter store") from error


def bucket_and_key(url: str) -> tuple[str, str]:
    """The object of a TemplateURL, whose bucket is in the host (BUCKET.s3…) or first in the path."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    in_host = re.fullmatch(r"(.+)\.s3[.-].*", host)
    bucket, key = (in_host.group(1), path) if in_host else path.partition("/")[::2]
    if parts.scheme not in ("http", "https") or not bucket or not key:
        raise Refused(f"TemplateURL must reference a valid S3 object to which you have access: {url}")
    return bucket, key


def take_service_role(stack: Stack, role_arn: str | None) -> None:
    """Work on a stack under the service role of a request, or that of the stack; nothing of the stack changes before.

    A role's session needs one of them: only the administrator's rights reach beyond a request here, those of a session
    end with it.

    Raises:
        Refused: a role's session asks for work without a service role.
    """
    if caller().role_name is not None and not (role_arn or stack.role_arn):
        raise Refused(f"local AWS lets roles work on stacks through a service role alone: give {stack.name} a RoleARN")
    stack.role_arn = role_arn or stack.role_arn


def check_updatable(stack: Stack) -> None:
    if stack.status not in UPDATABLE:
        raise Refused(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def check_capabilities(template: Template, request: Request) -> None:
    """Raise InsufficientCapabilities unless IAM resources are acknowledged."""
    wanted, given = required_capabilities(template), set(request.get("Capabilities") or ())
    enough = {"CAPABILITY_NAMED_IAM"} if wanted == "CAPABILITY_NAMED_IAM" else {wanted, "CAPABILITY_NAMED_IAM"}
    if wanted and not enough & given:
        raise InsufficientCapabilities(f"Requires capabilities : [{wanted}]")


def on_failure(request: Request) -> str:
    if request.get("DisableRollback") and request.get("OnFailure"):
        raise Refused("You cannot specify both DisableRollback and OnFailure")
    if request.get("DisableRollback"):
        return "DO_NOTHING"
    return str(request.get("OnFailure") or request.get("OnStackFailure") or "ROLLBACK")


def tags_of(request: Request) -> dict[str, str] | None:
    """The tags of a request; None where it says nothing of tags."""
    tags = request.get("Tags")
    return None if tags is None else {tag["Key"]: tag["Value"] for tag in tags}
