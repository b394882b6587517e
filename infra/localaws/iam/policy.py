"""Policy documents, compiled once, and the decision that they come to about one action on one resource."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from infra.localaws.iam.conditions import Context, condition_holds, is_like, wildcard

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; `place` names it for reports: policy and Sid, or its number where it has none."""

    place: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]]
    principals: Mapping[str, Any] | str | None = None
    excludes_actions: bool = False
    excludes_resources: bool = False

    def names_action(self, action: str) -> bool:
        """Whether the statement is about an action; IAM compares actions without regard to case."""
        return any(is_like(pattern.lower(), action.lower()) for pattern in self.actions) != self.excludes_actions

    def names_resource(self, resource: str) -> bool:
        """Whether the statement is about a resource. An action without resources (`*`) needs a statement on `*`."""
        return any(wildcard(pattern).fullmatch(resource) for pattern in self.resources) != self.excludes_resources

    def granting_action(self, action: str) -> str:
        """The action as the statement writes it, of those that name it."""
        return next((pattern for pattern in self.actions if is_like(pattern.lower(), action.lower())), action)


@dataclass(frozen=True)
class Decision:
    """What the policies say: allowed by these statements, denied by a statement, or neither."""

    allowed: bool
    denied_by: Statement | None = None
    granted_by: tuple[Statement, ...] = ()


@dataclass
class PolicySet:
    """All statements that hold for a principal, with those of each action looked up once."""

    statements: Sequence[Statement]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict)

    def decide(self, action: str, resource: str, context: Context) -> Decision:
        """An explicit deny wins; otherwise one statement that allows is enough."""
        granted = []
        for statement in self._about(action):
            if not statement.names_resource(resource) or not condition_holds(statement.condition, context):
                continue
            if not statement.allows:
                return Decision(allowed=False, denied_by=statement)
            granted.append(statement)
        return Decision(bool(granted), granted_by=tuple(granted))

    def _about(self, action: str) -> tuple[Statement, ...]:
        found = self._by_action.get(action)
        if found is None:
            found = tuple(statement for statement in self.statements if statement.names_action(action))
            self._by_action[action] = found
        return found


@lru_cache(maxsize=256)
def parse_policy(name: str, text: str) -> tuple[Statement, ...]:
    """The statements of a policy document in JSON.

    Raises:
        ValueError: the text is no policy document.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or "Statement" not in document:
        raise ValueError(f"policy {name} holds no Statement")
    return tuple(_statement(name, number, item) for number, item in enumerate(_list(document["Statement"]), 1))


def is_principal_named(statement: Statement, kind: str, names: Iterable[str]) -> bool:
    """Whether a trust or resource policy's `Principal` holds one of the names of a kind (`Service`, `AWS`)."""
    if statement.principals == "*":
        return True
    if not isinstance(statement.principals, Mapping):
        return False
    given = [str(item) for item in _list(statement.principals.get(kind, []))]
    return "*" in given or any(name in given for name in names)


def _statement(name: str, number: int, item: Document) -> Statement:
    return Statement(
        place=f"{name}/{item.get('Sid') or number}",
        allows=item["Effect"] == "Allow",
        actions=tuple(str(action) for action in _list(item.get("Action", item.get("NotAction", [])))),
        resources=tuple(str(resource) for resource in _list(item.get("Resource", item.get("NotResource", "*")))),
        condition=item.get("Condition") or {},
        principals=item.get("Principal"),
        excludes_actions="NotAction" in item,
        excludes_resources="NotResource" in item,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
