"""What is kept of a stack. Plain data: it is pickled with the rest of the state."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

STACK_TYPE = "AWS::CloudFormation::Stack"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class StackResource:
    """One resource as it was made. `properties` are evaluated: nothing is left to resolve for a rollback."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    at: datetime = field(default_factory=now)
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    metadata: Any = None


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    event_id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    properties: str | None
    at: datetime


@dataclass
class Stack:
    """A stack and its history."""

    stack_id: str
    name: str
    region: str
    template_body: str = ""
    template: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str | None = None
    on_failure: str = "ROLLBACK"
    termination_protection: bool = False
    timeout_minutes: int | None = None
    policy: str | None = None
    change_set_id: str | None = None
    status: str = ""
    reason: str | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    """In order of creation."""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    events: list[StackEvent] = field(default_factory=list)
    undo: "UpdateUndo | None" = None

    def exports(self) -> dict[str, str]:
        return {o["ExportName"]: o["OutputValue"] for o in self.outputs if "ExportName" in o}

    def set_status(self, status: str, reason: str | None = None) -> None:
        """Go into a state, with its event."""
        self.status, self.reason = status, reason
        self._event(self.name, self.stack_id, STACK_TYPE, status, reason, None)

    def resource_event(self, resource: StackResource, status: str, reason: str | None = None) -> None:
        """Bring a resource into a state, with its event."""
        resource.status, resource.reason, resource.at = status, reason, now()
        properties = json.dumps(resource.properties, default=str)
        self._event(resource.logical_id, resource.physical_id, resource.type, status, reason, properties)

    def _event(
        self, logical_id: str, physical_id: str, kind: str, status: str, reason: str | None, properties: str | None
    ) -> None:
        event_id = f"{logical_id}-{status}-{uuid.uuid4()}"
        self.events.append(StackEvent(event_id, logical_id, physical_id, kind, status, reason, properties, now()))


@dataclass
class UpdateUndo:
    """What an update has done so far, so that it can be taken back, even after a restart."""

    template_body: str
    template: dict[str, Any]
    parameters: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    resources: dict[str, StackResource]
    """As they were; the same objects are never changed by an update."""
    created: list[StackResource] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    obsolete: list[StackResource] = field(default_factory=list)
    """Replaced or removed; deleted once all else is done."""


@dataclass
class ChangeSet:
    """A proposed change."""

    change_set_id: str
    name: str
    kind: str
    stack_id: str
    stack_name: str
    template_body: str
    parameters: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    notification_arns: list[str]
    role_arn: str | None
    description: str | None
    on_failure: str
    status: str
    execution_status: str
    reason: str | None
    changes: list[dict[str, Any]]
    created_at: datetime = field(default_factory=now)
