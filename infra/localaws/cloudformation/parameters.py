"""Parameters: defaults, previous values, and the constraints that a template puts on them."""

import re
from collections.abc import Callable
from typing import Any

from infra.localaws.cloudformation.errors import Refused
from infra.localaws.cloudformation.template import Template

SSM_VALUE = "AWS::SSM::Parameter::Value<"
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def given_values(template: Template, given: list[dict[str, Any]], previous: dict[str, str]) -> dict[str, str]:
    """The text of every parameter: as given, as before (UsePreviousValue), or the default.

    Raises:
        Refused: for unknown, missing and unsuitable values.
    """
    declared: dict[str, Any] = template.get("Parameters") or {}
    texts: dict[str, str] = {}
    for parameter in given:
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue") in (True, "true"):
            if key not in previous:
                raise Refused(f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true here")
            texts[key] = previous[key]
        else:
            texts[key] = str(parameter.get("ParameterValue", ""))
    if unknown := sorted(set(texts) - set(declared)):
        raise Refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for key, rules in declared.items():
        if key not in texts and "Default" in rules:
            texts[key] = _text(rules["Default"])
    if missing := [key for key in declared if key not in texts]:
        raise Refused(f"Parameters: [{', '.join(missing)}] must have values")
    for key, rules in declared.items():
        _check(key, texts[key], rules)
    return texts


def typed_values(template: Template, texts: dict[str, str], ssm_value: Callable[[str], str]) -> dict[str, Any]:
    """What Ref gives: lists for list types, and the parameter store's value for its types."""
    declared: dict[str, Any] = template.get("Parameters") or {}
    values: dict[str, Any] = {}
    for key, rules in declared.items():
        kind, text = rules["Type"], texts[key]
        if kind.startswith(SSM_VALUE):
            text, kind = ssm_value(text), kind[len(SSM_VALUE) : -1]
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
        values[key] = [item.strip() for item in text.split(",")] if is_list and text else ([] if is_list else text)
    return values


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _check(key: str, text: str, rules: dict[str, Any]) -> None:
    constraint = rules.get("ConstraintDescription")
    allowed = rules.get("AllowedValues")
    if allowed is not None and text not in [_text(value) for value in allowed]:
        raise Refused(f"Parameter '{key}' must be one of AllowedValues" if not constraint else _worded(key, constraint))
    pattern = rules.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        raise Refused(_worded(key, constraint or f"must match pattern {pattern}"))
    if rules["Type"] == "Number":
        _check_number(key, text, rules)
    elif not int(rules.get("MinLength", 0)) <= len(text) <= int(rules.get("MaxLength", 1 << 20)):
        raise Refused(_worded(key, constraint or "has a length outside of MinLength and MaxLength"))


def _check_number(key: str, text: str, rules: dict[str, Any]) -> None:
    if not NUMBER.fullmatch(text):
        raise Refused(f"Parameter '{key}' must be a number.")
    if "MinValue" in rules and float(text) < float(rules["MinValue"]):
        raise Refused(f"Parameter '{key}' must be a number not less than {rules['MinValue']}")
    if "MaxValue" in rules and float(text) > float(rules["MaxValue"]):
        raise Refused(f"Parameter '{key}' must be a number not greater than {rules['MaxValue']}")


def _worded(key: str, constraint: str) -> str:
    return f"Parameter '{key}' failed to satisfy constraint: {constraint}"
