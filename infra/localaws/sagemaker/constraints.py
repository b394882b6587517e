"""Checks a request against the constraints of AWS's own service model: null, length, range, pattern, enum."""

import re
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from infra.localaws.sagemaker.errors import ValidationException


@cache
def _input_shape(action: str) -> StructureShape | None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    shape: StructureShape | None = model.operation_model(action).input_shape
    return shape


@cache
def enum_values(shape_name: str) -> frozenset[str]:
    """The values that AWS knows for an enumeration, e.g. `ProductionVariantInstanceType`."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    return frozenset(model.shape_for(shape_name).metadata["enum"])


def check(action: str, request: dict[str, Any]) -> None:
    """Raise ValidationException, worded as AWS does, when the request breaks the model of `action`."""
    shape = _input_shape(action)
    found = [] if shape is None else _violations(shape, request, "")
    if found:
        noun = "validation error" if len(found) == 1 else "validation errors"
        raise ValidationException(f"{len(found)} {noun} detected: {'; '.join(found)}")


def _violations(shape: Shape, value: Any, path: str) -> list[str]:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _of_structure(shape, value, path)
    if isinstance(shape, ListShape) and isinstance(value, list):
        own = _out_of_bounds(shape, len(value), "length", value, path)
        return own + [
            text
            for position, item in enumerate(value, 1)
            for text in _violations(shape.member, item, f"{path}.{position}.member")
        ]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return [text for key, item in value.items() for text in _violations(shape.value, item, f"{path}.{key}.member")]
    return _of_scalar(shape, value, path)


def _of_structure(shape: StructureShape, value: dict[str, Any], path: str) -> list[str]:
    found = []
    for name, member in shape.members.items():
        member_path = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:
            found += _violations(member, value[name], member_path)
        elif name in shape.required_members:
            found.append(f"Value null at '{member_path}' failed to satisfy constraint: Member must not be null")
    return found


def _of_scalar(shape: Shape, value: Any, path: str) -> list[str]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return _out_of_bounds(shape, value, "value", value, path)
    if not isinstance(value, str):
        return []
    found = _out_of_bounds(shape, len(value), "length", value, path)
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        found.append(_text(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        found.append(_text(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    return found


def _out_of_bounds(shape: Shape, number: float, kind: str, value: Any, path: str) -> list[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        return [_text(value, path, f"Member must have {kind} greater than or equal to {least}")]
    if most is not None and number > most:
        return [_text(value, path, f"Member must have {kind} less than or equal to {most}")]
    return []


def _text(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> Any:
    """The pattern, where a dot takes no newline, as in AWS's own checks; None for one that no engine here reads.

    AWS writes some in Java's dialect (`\\p{L}`), which the standard library does not know.
    """
    try:
        return re.compile(pattern)
    except re.error:
        import regex  # type: ignore[import-untyped]

        try:
            return regex.compile(pattern)
        except regex.error:
            return None
