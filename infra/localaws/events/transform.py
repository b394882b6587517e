"""What a target gets: the event itself, a part of it, a constant, or a template filled from it."""

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]")
_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_ABSENT = object()


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, ingested_at: str) -> str:
    """The text for one target of a rule, by its Input, InputPath or InputTransformer."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        found = look_up(target["InputPath"], event)
        return json.dumps(None if found is _ABSENT else found)
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    paths = transformer.get("InputPathsMap") or {}
    values = {name: look_up(path, event) for name, path in paths.items()}
    return fill(transformer["InputTemplate"], values | _predefined(event, rule_arn, ingested_at))


def look_up(path: str, event: Any) -> Any:
    """The value at a path like `$.detail.items[0]`; a marker where there is none."""
    value = event
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return _ABSENT
        name = step[1] or step[3]
        if name is not None and isinstance(value, dict) and name in value:
            value = value[name]
        elif step[2] is not None and isinstance(value, list) and int(step[2]) < len(value):
            value = value[int(step[2])]
        else:
            return _ABSENT
        position = step.end()
    return value


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Put values for `<name>`: as JSON where the name stands alone, as bare text within a quoted string."""
    parts: list[str] = []
    position, quoted = 0, False
    for match in _VARIABLE.finditer(template):
        if match[1] not in values:
            continue
        before = template[position : match.start()]
        quoted ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        parts += [before, _within_string(values[match[1]]) if quoted else _alone(values[match[1]])]
        position = match.end()
    return "".join(parts) + template[position:]


def _alone(value: Any) -> str:
    return json.dumps(None if value is _ABSENT else value)


def _within_string(value: Any) -> str:
    if value is _ABSENT or value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]


def _predefined(event: Mapping[str, Any], rule_arn: str, ingested_at: str) -> dict[str, Any]:
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": ingested_at,
        "aws.events.event": {k: v for k, v in event.items() if k != "detail"},
        "aws.events.event.json": dict(event),
    }
