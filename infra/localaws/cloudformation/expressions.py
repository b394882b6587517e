"""Ref, Fn::… and conditions, evaluated against a stack's parameters and resources."""

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from infra.localaws.cloudformation.errors import Refused

NO_VALUE = object()
_SUB = re.compile(r"\$\{(!?)([^}]+)\}")


@dataclass
class Scope:
    """What a template can refer to."""

    values: dict[str, Any]
    """Parameters and pseudo parameters."""
    mappings: dict[str, Any]
    conditions: dict[str, Any]
    ref: Callable[[str], Any]
    """Logical id -> what Ref gives."""
    attribute: Callable[[str, str], Any]
    import_value: Callable[[str], Any]
    resolved_conditions: dict[str, bool] = field(default_factory=dict)

    def condition(self, name: str) -> bool:
        """Whether a named condition holds."""
        if name not in self.conditions:
            raise Refused(f"Template error: unresolved condition dependency {name}")
        if name not in self.resolved_conditions:
            self.resolved_conditions[name] = bool(evaluate(self.conditions[name], self))
        return self.resolved_conditions[name]


def evaluate(node: Any, scope: Scope) -> Any:
    """The value of a part of a template; `AWS::NoValue` vanishes from lists and objects.

    Raises:
        Refused: for unknown functions, names and attributes.
    """
    if isinstance(node, list):
        return [value for item in node if (value := evaluate(item, scope)) is not NO_VALUE]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        name, argument = next(iter(node.items()))
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](argument, scope)
        if isinstance(name, str) and name.startswith("Fn::"):
            raise Refused(f"Template error: function {name} is not supported by local AWS")
    pairs = ((key, evaluate(value, scope)) for key, value in node.items())
    return {key: value for key, value in pairs if value is not NO_VALUE}


def _ref(name: Any, scope: Scope) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    return scope.values[name] if name in scope.values else scope.ref(name)


def _get_att(argument: Any, scope: Scope) -> Any:
    logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(logical_id, evaluate(attribute, scope))


def _sub(argument: Any, scope: Scope) -> str:
    text, own = (argument, {}) if isinstance(argument, str) else (argument[0], evaluate(argument[1], scope))

    def replace(match: re.Match[str]) -> str:
        literal, name = match.group(1), match.group(2).strip()
        if literal:
            return "${" + match.group(2) + "}"
        if name in own:
            return _text(own[name])
        return _text(_get_att(name, scope) if "." in name else _ref(name, scope))

    return _SUB.sub(replace, text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value)


def _join(argument: Any, scope: Scope) -> str:
    parts = evaluate(argument[1], scope)
    return str(argument[0]).join(map(_text, parts))


def _select(argument: Any, scope: Scope) -> Any:
    index, items = int(evaluate(argument[0], scope)), evaluate(argument[1], scope)
    if not 0 <= index < len(items):
        raise Refused(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[index]


def _split(argument: Any, scope: Scope) -> list[str]:
    return str(evaluate(argument[1], scope)).split(argument[0])


def _if(argument: Any, scope: Scope) -> Any:
    name, yes, no = argument
    return evaluate(yes if scope.condition(name) else no, scope)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    path = [str(evaluate(part, scope)) for part in argument]
    found: Any = scope.mappings
    for part in path:
        if not isinstance(found, dict) or part not in found:
            raise Refused(f"Template error: Unable to get mapping for {'::'.join(path)}")
        found = found[part]
    return found


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = evaluate(argument, scope)
    return _text(left) == _text(right)


_FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::Equals": _equals,
    "Fn::Not": lambda argument, scope: not evaluate(argument[0], scope),
    "Fn::And": lambda argument, scope: all(evaluate(item, scope) for item in argument),
    "Fn::Or": lambda argument, scope: any(evaluate(item, scope) for item in argument),
    "Fn::ImportValue": lambda argument, scope: scope.import_value(evaluate(argument, scope)),
    "Fn::Base64": lambda argument, scope: base64.b64encode(str(evaluate(argument, scope)).encode()).decode(),
    "Fn::GetAZs": lambda argument, scope: [
        f"{evaluate(argument, scope) or scope.values['AWS::Region']}{zone}" for zone in "abc"
    ],
}
# `Condition` is a function only inside of conditions: IAM policies have a key of that name.
_FUNCTIONS["Condition"] = lambda argument, scope: (
    scope.condition(argument) if isinstance(argument, str) else {"Condition": evaluate(argument, scope)}
)


def references(node: Any) -> Iterator[str]:
    """Every name that a part of a template refers to by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield value.split(".", 1)[0] if isinstance(value, str) else value[0]
            elif key == "Fn::Sub":
                text, own = (value, {}) if isinstance(value, str) else (value[0], value[1])
                names = (name.strip().split(".", 1)[0] for literal, name in _SUB.findall(text) if not literal)
                yield from (name for name in names if name not in own)
                yield from references(own)
            else:
                yield from references(value)


def creation_order(resources: dict[str, Any]) -> list[str]:
    """Logical ids, each after those it refers to or depends on; raises Refused where they go in a circle."""
    needs = {name: dependencies(name, resources) for name in resources}
    ordered: list[str] = []
    while needs:
        ready = [name for name, wanted in needs.items() if not wanted - set(ordered)]
        if not ready:
            raise Refused(f"Circular dependency between resources: [{', '.join(sorted(needs))}]")
        for name in ready:
            ordered.append(name)
            del needs[name]
    return ordered


def dependencies(name: str, resources: dict[str, Any]) -> set[str]:
    """The resources that `name` needs first."""
    resource = resources[name]
    explicit = resource.get("DependsOn") or []
    explicit = [explicit] if isinstance(explicit, str) else explicit
    if missing := [d for d in explicit if d not in resources]:
        raise Refused(f"Template format error: Unresolved resource dependencies {missing} in the Resources block")
    return {d for d in (*explicit, *references(resource.get("Properties"))) if d in resources} - {name}
