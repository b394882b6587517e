"""A resource type: how one is made, changed and deleted, by the public API of its service."""

import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from infra.localaws.cloudformation.errors import ResourceError

Properties = dict[str, Any]
ClientFor = Callable[[str], Any]
"""Service name -> a boto3 client of local AWS in the stack's region."""


@dataclass(frozen=True)
class Target:
    """Which resource of which stack is handled."""

    stack_name: str
    stack_id: str
    logical_id: str
    region: str
    account: str
    stack_tags: dict[str, str]
    client: ClientFor

    def tags(self, own: Any) -> dict[str, str]:
        """The stack's tags, the resource's own, and those by which CloudFormation marks what it makes."""
        return {
            **self.stack_tags,
            **tag_map(own),
            "aws:cloudformation:stack-name": self.stack_name,
            "aws:cloudformation:stack-id": self.stack_id,
            "aws:cloudformation:logical-id": self.logical_id,
        }

    def generated_name(self, longest: int = 64, lower: bool = False) -> str:
        """A unique name as CloudFormation makes them: stack, logical id, twelve random characters."""
        alphabet = string.ascii_letters + string.digits
        suffix = "".join(secrets.choice(alphabet) for _ in range(12))
        name = f"{self.stack_name}-{self.logical_id}"[: longest - 13] + f"-{suffix}"
        return name.lower() if lower else name


@dataclass(frozen=True)
class Made:
    """A resource that is there: what Ref gives and what Fn::GetAtt knows."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


class Handler:
    """Base of all types. `properties` are those acted on: any other fails the stack by name."""

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]] = frozenset()
    """A change of these makes a new resource."""
    name_property: ClassVar[str | None] = None
    kept_at_once: ClassVar[bool] = False
    """Whether the service keeps it on disk before the stack's own record is saved, so that this must be saved first."""

    def create(self, target: Target, properties: Properties) -> Made:
        raise NotImplementedError

    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        """Change in place; called only when no immutable property differs."""
        raise NotImplementedError

    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        raise NotImplementedError

    def check(self, properties: Properties) -> None:
        """Refuse by name what local AWS would not act on."""
        if unsupported := sorted(set(properties) - self.properties):
            raise ResourceError(f"Property {', '.join(unsupported)} of {self.type} is not supported by local AWS")

    def replaces(self, old: Properties, new: Properties) -> list[str]:
        """The changed properties that need a new resource."""
        return [name for name in changed(old, new) if name in self.immutable]


def changed(old: Properties, new: Properties) -> list[str]:
    """Names of the properties that differ."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def picked(properties: Properties, *names: str) -> Properties:
    """Those of the properties that are there."""
    return {name: properties[name] for name in names if name in properties}


def camel(value: Any) -> Any:
    """Keys with a small first letter, as API Gateway and CloudWatch Logs spell them."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: Any) -> dict[str, str]:
    """Tags of a template, a list of Key and Value or an object, as an object."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags or []}


def integer(value: Any) -> int:
    """Templates may write numbers as text."""
    return int(value)


def boolean(value: Any) -> bool:
    """Templates may write booleans as text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


_MISSING = re.compile(r"NotFound|NoSuch|NonExistent|ResourceNotFound|ParameterNotFound", re.IGNORECASE)
_MISSING_TEXT = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)


def is_missing(error: Exception) -> bool:
    """Whether a boto3 error says that the resource is not there (a delete is then done)."""
    response: dict[str, Any] = getattr(error, "response", {})
    fault = response.get("Error", {})
    code, message = str(fault.get("Code")), str(fault.get("Message"))
    return bool(_MISSING.search(code)) or (code.startswith("Validation") and bool(_MISSING_TEXT.search(message)))
