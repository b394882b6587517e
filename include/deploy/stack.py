"""Deploy one CloudFormation stack by change set: create or update, wait, and tell a failure in one sentence."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

Progress = Callable[[str], None]
Sleep = Callable[[float], None]

POLL_QUICKLY_S = 0.3
POLL_S = 1.0
POLL_SLOWLY_S = 5.0
"""AWS throttles those who ask more often for long."""
CHANGE_SET_TIMEOUT_S = 300.0
NO_CHANGES = ("didn't contain changes", "No updates are to be performed", "The submitted information didn't contain")


class StackFailed(Exception):
    """A stack could not be deployed or deleted; the message says which resource failed first, and why."""


@dataclass(frozen=True)
class StackResult:
    """What a deployment left behind."""

    outputs: dict[str, str]
    changed: bool


def deploy_stack(
    cloudformation: Any,
    name: str,
    parameters: Mapping[str, str],
    *,
    template_body: str | None = None,
    template_url: str | None = None,
    capabilities: Sequence[str] = ("CAPABILITY_NAMED_IAM",),
    on_progress: Progress | None = None,
    timeout_s: float = 1800,
    sleep: Sleep = time.sleep,
) -> StackResult:
    """Create or update stack `name`; a template without changes is a success with `changed=False`.

    A parameter that is not given here keeps the value that the stack was once given, else has the template's default.

    Raises:
        StackFailed: the template was refused, a resource failed, the stack is busy, or `timeout_s` passed.
    """
    say = on_progress or _silent
    template = {"TemplateURL": template_url} if template_url else {"TemplateBody": template_body}
    waiter = _Waiter(cloudformation, name, say, timeout_s, sleep)
    stack = _ready_stack(cloudformation, name, waiter, say)
    change_set = f"deploy-{datetime.now(UTC):%Y%m%dt%H%M%S%fz}"
    try:
        cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if stack else "CREATE",
            Parameters=_parameters(cloudformation, stack, parameters, template),
            Capabilities=list(capabilities),
            **template,
        )
    except ClientError as error:
        if _is_no_change(str(error)):
            return StackResult(_outputs(stack), changed=False)
        raise StackFailed(f"stack {name}: {error.response['Error']['Message']}") from error
    if not _change_set_is_ready(cloudformation, name, change_set, timeout_s, sleep):
        say(f"{name}: nothing to change")
        return StackResult(_outputs(stack), changed=False)
    since = datetime.now(UTC)
    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
    say(f"{name}: {'updating' if stack else 'creating'}")
    done = waiter.until_settled(since)
    if done["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reason = _first_failure(cloudformation, done["StackId"], since)
        raise StackFailed(f"stack {name} is {done['StackStatus']}: {reason}")
    say(f"{name}: {done['StackStatus']}")
    return StackResult(_outputs(done), changed=True)


def delete_stack(
    cloudformation: Any,
    name: str,
    *,
    on_progress: Progress | None = None,
    timeout_s: float = 1800,
    sleep: Sleep = time.sleep,
) -> bool:
    """Delete stack `name` and wait until it is gone; False where there was none.

    Raises:
        StackFailed: a resource could not be deleted, or `timeout_s` passed.
    """
    say = on_progress or _silent
    stack = find_stack(cloudformation, name)
    if stack is None:
        return False
    since = datetime.now(UTC)
    cloudformation.delete_stack(StackName=name)
    say(f"{name}: deleting")
    waiter = _Waiter(cloudformation, name, say, timeout_s, sleep)
    left = waiter.until_gone(stack["StackId"], since)
    if left:
        raise StackFailed(f"stack {name} is {left}: {_first_failure(cloudformation, stack['StackId'], since)}")
    say(f"{name}: deleted")
    return True


def find_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """The description of a stack that exists, or None."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    living = [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    return dict(living[0]) if living else None


@dataclass(frozen=True)
class _Waiter:
    """Follows a stack until it settles and tells each event as a line."""

    cloudformation: Any
    name: str
    say: Progress
    timeout_s: float
    sleep: Sleep

    def until_settled(self, since: datetime) -> dict[str, Any]:
        """The stack once it is no longer in progress."""
        told: set[str] = set()
        for pause_s in self._pauses():
            stack = find_stack(self.cloudformation, self.name)
            if stack is None:
                raise StackFailed(f"stack {self.name} was deleted by someone else")
            self._tell(stack["StackId"], since, told)
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            self.sleep(pause_s)
        raise StackFailed(f"stack {self.name} did not settle within {self.timeout_s:.0f} s")

    def until_gone(self, stack_id: str, since: datetime) -> str | None:
        """None once the stack is gone, else the status that its deletion stopped in."""
        told: set[str] = set()
        for pause_s in self._pauses():
            stack = find_stack(self.cloudformation, stack_id)
            if stack is None:
                return None
            self._tell(stack_id, since, told)
            if stack["StackStatus"] == "DELETE_FAILED":
                return "DELETE_FAILED"
            self.sleep(pause_s)
        return "DELETE_IN_PROGRESS"

    def _pauses(self) -> list[float]:
        """Seconds between looks, shorter at first: most stacks take seconds, an endpoint takes minutes."""
        quick = [POLL_QUICKLY_S] * 10 + [POLL_S] * 20
        return quick + [POLL_SLOWLY_S] * max(1, int((self.timeout_s - sum(quick)) / POLL_SLOWLY_S))

    def _tell(self, stack_id: str, since: datetime, told: set[str]) -> None:
        for event in _events(self.cloudformation, stack_id, since):
            if event["EventId"] in told:
                continue
            told.add(event["EventId"])
            reason = event.get("ResourceStatusReason")
            line = f"{self.name}: {event['LogicalResourceId']} {event['ResourceStatus']}"
            self.say(f"{line} ({reason})" if reason else line)


def _silent(line: str) -> None:
    """Progress that nobody asked for."""


def _ready_stack(cloudformation: Any, name: str, waiter: _Waiter, say: Progress) -> dict[str, Any] | None:
    """The stack to update, or None where one is to be created; leftovers of failed creations are deleted first."""
    stack = find_stack(cloudformation, name)
    if stack and stack["StackStatus"].endswith("IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        say(f"{name}: {stack['StackStatus']}, waiting")
        stack = waiter.until_settled(datetime.now(UTC))
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    if stack["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        say(f"{name}: {stack['StackStatus']}, deleting what is left")
        delete_stack(cloudformation, name, on_progress=say, timeout_s=waiter.timeout_s, sleep=waiter.sleep)
        return None
    return stack


def _parameters(
    cloudformation: Any, stack: dict[str, Any] | None, given: Mapping[str, str], template: Mapping[str, str | None]
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


def _change_set_is_ready(cloudformation: Any, name: str, change_set: str, timeout_s: float, sleep: Sleep) -> bool:
    """Whether the change set can be executed; False where it holds no changes (it is deleted then)."""
    for _ in range(max(1, int(min(timeout_s, CHANGE_SET_TIMEOUT_S) / POLL_QUICKLY_S))):
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


def _outputs(stack: dict[str, Any] | None) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in (stack or {}).get("Outputs", [])}


def _events(cloudformation: Any, stack_id: str, since: datetime) -> list[dict[str, Any]]:
    """Events of the stack from `since` on, oldest first; none where the stack is gone."""
    try:
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    except ClientError:
        return []
    slack_s = 2.0  # the clocks of AWS and of this machine differ, and some events are stamped to the second
    return [e for e in reversed(events) if e["Timestamp"].timestamp() >= since.timestamp() - slack_s]


def _first_failure(cloudformation: Any, stack_id: str, since: datetime) -> str:
    """The first failed resource since `since`, with CloudFormation's reason."""
    for event in _events(cloudformation, stack_id, since):
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("FAILED") and "cancelled" not in reason:
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason or event['ResourceStatus']}"
    return "CloudFormation gave no reason"
