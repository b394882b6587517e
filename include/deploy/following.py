"""Follow a CloudFormation stack: its state, its events as lines, and which resource failed first."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

Progress = Callable[[str], None]
Sleep = Callable[[float], None]
StackDescription = dict[str, Any]

POLL_QUICKLY_S = 0.3
POLL_S = 1.0
POLL_SLOWLY_S = 5.0
"""AWS throttles those who ask more often for long."""
CLOCKS_DIFFER_S = 2.0
"""The clocks of AWS and of this machine differ, and some events are stamped to the second."""


STARTED = "User Initiated"


class StackFailed(Exception):
    """A stack could not be deployed or deleted; the message says which resource failed first, and why."""


def silent(line: str) -> None:
    """Progress that nobody asked for."""


def find_stack(cloudformation: Any, name: str) -> StackDescription | None:
    """The description of a stack that exists, or None. A deleted stack is found by its id alone, and is None too."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    living = [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    return dict(living[0]) if living else None


def first_failure(cloudformation: Any, stack_id: str, since: datetime) -> str:
    """The first failed resource since `since`, with CloudFormation's reason."""
    for event in reversed(list(events_since(cloudformation, stack_id, since))):
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("FAILED") and "cancelled" not in reason:
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason or event['ResourceStatus']}"
    return "CloudFormation gave no reason"


def events_since(cloudformation: Any, stack_id: str, since: datetime) -> Iterator[dict[str, Any]]:
    """Events of the stack's last operation since then, newest first, over as many pages as they fill.

    None where the stack is gone. CloudFormation marks the event that an operation begins with as "User Initiated".
    """
    oldest = since.timestamp() - CLOCKS_DIFFER_S
    try:
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if event["Timestamp"].timestamp() < oldest:
                    return
                yield event
                if event["LogicalResourceId"] == event["StackName"] and event.get("ResourceStatusReason") == STARTED:
                    return
    except ClientError as error:
        if "does not exist" not in str(error):
            raise


@dataclass(frozen=True)
class Follower:
    """Waits for one stack and reports each of its events as a line.

    Args:
        timeout_s: how long one wait may last.
    """

    cloudformation: Any
    name: str
    report: Progress
    timeout_s: float
    sleep: Sleep = time.sleep
    _reported: set[str] = field(default_factory=set)

    def until_settled(self, since: datetime) -> StackDescription | None:
        """The stack once nothing is in progress; None where it was deleted meanwhile.

        Raises:
            StackFailed: it was still at work after `timeout_s`.
        """
        for pause_s in self._pauses():
            stack = find_stack(self.cloudformation, self.name)
            if stack is None:
                return None
            self._report_events(stack["StackId"], since)
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            self.sleep(pause_s)
        raise StackFailed(f"stack {self.name} did not settle within {self.timeout_s:.0f} s")

    def until_gone(self, stack_id: str, since: datetime) -> str | None:
        """None once the stack is gone, else the status that its deletion stopped in."""
        for pause_s in self._pauses():
            stack = find_stack(self.cloudformation, stack_id)
            if stack is None:
                return None
            self._report_events(stack_id, since)
            if stack["StackStatus"] == "DELETE_FAILED":
                return "DELETE_FAILED"
            self.sleep(pause_s)
        return "DELETE_IN_PROGRESS"

    def _pauses(self) -> list[float]:
        """Seconds between looks, shorter at first: most stacks take seconds, an endpoint takes minutes."""
        quick = [POLL_QUICKLY_S] * 10 + [POLL_S] * 20
        return quick + [POLL_SLOWLY_S] * max(1, int((self.timeout_s - sum(quick)) / POLL_SLOWLY_S))

    def _report_events(self, stack_id: str, since: datetime) -> None:
        news = []
        for event in events_since(self.cloudformation, stack_id, since):
            if event["EventId"] in self._reported:
                break  # all older ones were reported with it
            news.append(event)
        for event in reversed(news):
            self._reported.add(event["EventId"])
            reason = event.get("ResourceStatusReason")
            line = f"{self.name}: {event['LogicalResourceId']} {event['ResourceStatus']}"
            self.report(f"{line} ({reason})" if reason else line)
