"""Event patterns: EventBridge's matching language, compiled to a predicate."""

import ipaddress
import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Predicate = Callable[[Any], bool]
_Values = list[Any]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_MISSING: _Values = []


class PatternError(ValueError):
    """The pattern is not one that EventBridge takes; the text is its reason."""


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Predicate:
    """A predicate of whole events for a pattern in JSON (PatternError)."""
    try:
        pattern = json.loads(text)
    except ValueError as e:
        raise PatternError("Invalid JSON") from e
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    if not pattern:
        raise PatternError("Empty pattern")
    return _node(pattern)


def _node(pattern: dict[str, Any]) -> Predicate:
    """All keys of one level must match; `$or` holds alternatives of that same level."""
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    checks: list[Predicate] = []
    for key, value in pattern.items():
        if key == "$or":
            checks.append(_alternatives(value))
        elif isinstance(value, dict):
            checks.append(_child(key, _node(value)))
        elif isinstance(value, list):
            checks.append(_leaf(key, value))
        else:
            raise PatternError(f'"{key}" must be an object or an array')
    return lambda event: all(check(event) for check in checks)


def _alternatives(value: Any) -> Predicate:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(v, dict) for v in value):
        raise PatternError('"$or" must be an array of at least two objects')
    nodes = [_node(v) for v in value]
    return lambda event: any(node(event) for node in nodes)


def _child(key: str, node: Predicate) -> Predicate:
    """Descend; an array of objects matches where any of them does."""

    def check(event: Any) -> bool:
        value = event.get(key) if isinstance(event, dict) else None
        if isinstance(value, list):
            return any(node(v) for v in value if isinstance(v, dict))
        return node(value if isinstance(value, dict) else {})

    return check


def _leaf(key: str, filters: list[Any]) -> Predicate:
    if not filters:
        raise PatternError("Empty arrays are not allowed")
    checks = [_filter(f) for f in filters]

    def check(event: Any) -> bool:
        values = _leaf_values(event, key)
        return any(c(values) for c in checks)

    return check


def _leaf_values(event: Any, key: str) -> _Values:
    """The values a leaf has: an array counts element by element, an object or a missing key as none."""
    if not isinstance(event, dict) or key not in event:
        return _MISSING
    value = event[key]
    if isinstance(value, dict):
        return _MISSING
    if isinstance(value, list):
        return [v for v in value if not isinstance(v, dict | list)]
    return [value]


def _filter(rule: Any) -> Callable[[_Values], bool]:
    if not isinstance(rule, dict):
        if isinstance(rule, list):
            raise PatternError("Arrays within arrays are not allowed")
        return _any_of(_exactly(rule))
    if len(rule) != 1:
        raise PatternError("Only one key allowed in match expression")
    ((name, operand),) = rule.items()
    if name == "exists":
        if not isinstance(operand, bool):
            raise PatternError("match value for exists must be boolean")
        return lambda values: bool(values) == operand
    if name == "anything-but":
        unwanted = _unwanted(operand)
        return lambda values: any(not unwanted(v) for v in values)
    return _any_of(_operator(name, operand))


def _any_of(test: Predicate) -> Callable[[_Values], bool]:
    return lambda values: any(test(v) for v in values)


def _exactly(wanted: Any) -> Predicate:
    """Equal, where true is not 1 and "1" is not 1."""
    if isinstance(wanted, bool) or wanted is None:
        return lambda value: value is wanted
    if isinstance(wanted, int | float):
        return lambda value: _is_number(value) and value == wanted
    return lambda value: isinstance(value, str) and value == wanted


def _unwanted(operand: Any) -> Predicate:
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise PatternError("Only one key allowed in match expression")
        ((name, inner),) = operand.items()
        if name not in {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
            raise PatternError(f"Unsupported anything-but pattern: {name}")
        tests = [_operator(name, one) for one in (inner if isinstance(inner, list) else [inner])]
    else:
        wanted = operand if isinstance(operand, list) else [operand]
        if not wanted or not all(isinstance(w, str) or _is_number(w) for w in wanted):
            raise PatternError("Inside anything but list, start|null|boolean is not supported.")
        tests = [_exactly(w) for w in wanted]
    return lambda value: any(test(value) for test in tests)


def _operator(name: str, operand: Any) -> Predicate:
    maker = _OPERATORS.get(name)
    if maker is None:
        raise PatternError(f"Unrecognized match type {name}")
    return maker(operand)


def _ignoring_case(operand: Any, test: Callable[[str, str], bool], name: str) -> Predicate:
    """A test of strings, with `{"equals-ignore-case": …}` for one without regard to case."""
    if isinstance(operand, dict) and list(operand) == ["equals-ignore-case"]:
        folded = _text(operand["equals-ignore-case"], name).casefold()
        return lambda value: isinstance(value, str) and test(value.casefold(), folded)
    wanted = _text(operand, name)
    return lambda value: isinstance(value, str) and test(value, wanted)


def _text(operand: Any, name: str) -> str:
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def _prefix(operand: Any) -> Predicate:
    return _ignoring_case(operand, str.startswith, "prefix")


def _suffix(operand: Any) -> Predicate:
    return _ignoring_case(operand, str.endswith, "suffix")


def _equals_ignore_case(operand: Any) -> Predicate:
    folded = _text(operand, "equals-ignore-case").casefold()
    return lambda value: isinstance(value, str) and value.casefold() == folded


def _wildcard(operand: Any) -> Predicate:
    text = _text(operand, "wildcard")
    if "**" in text:
        raise PatternError("Consecutive wildcard characters at pos " + str(text.index("**")))
    parts: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == "*":
            parts.append(".*")
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in {"*", "\\"}:
                raise PatternError("Invalid escape character in wildcard")
            parts.append(re.escape(escaped))
        else:
            parts.append(re.escape(character))
    expression = re.compile("".join(parts), re.DOTALL)
    return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None


def _numeric(operand: Any) -> Predicate:
    if not isinstance(operand, list) or not operand or len(operand) % 2:
        raise PatternError("Invalid numeric match: an array of comparisons and numbers is needed")
    tests: list[tuple[Callable[[float, float], bool], float]] = []
    for name, number in zip(operand[::2], operand[1::2], strict=True):
        if name not in _COMPARISONS or not _is_number(number):
            raise PatternError(f"Unrecognized numeric range operator: {name}")
        tests.append((_COMPARISONS[name], number))
    return lambda value: _is_number(value) and all(compare(value, number) for compare, number in tests)


def _cidr(operand: Any) -> Predicate:
    try:
        network = ipaddress.ip_network(_text(operand, "cidr"), strict=False)
    except ValueError as e:
        raise PatternError(f"Malformed CIDR: {operand}") from e

    def check(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_OPERATORS: dict[str, Callable[[Any], Predicate]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
}
