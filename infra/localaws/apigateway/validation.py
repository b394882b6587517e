"""Request validation: required parameters, and bodies against their model."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from infra.localaws.apigateway.errors import BAD_BODY, BAD_PARAMETERS, GatewayError
from infra.localaws.apigateway.snapshot import MethodSnapshot

MAX_MESSAGES = 10


def check_parameters(
    method: MethodSnapshot, query: Mapping[str, Any], headers: Mapping[str, Any], path: Mapping[str, Any]
) -> None:
    """GatewayError where a required parameter is missing. `headers` have lower-case names."""
    given = {"querystring": query, "header": headers, "path": path}
    missing = []
    for parameter in method.required_parameters:
        _, _, place, name = parameter.split(".", 3)
        if (name.lower() if place == "header" else name) not in given.get(place, {}):
            missing.append(name)
    if missing:
        raise GatewayError(BAD_PARAMETERS, f"Missing required request parameters: [{', '.join(missing)}]")


def compile_body(schemas: Mapping[str, dict[str, Any]]) -> Callable[[str, bytes], None]:
    """A check of (content type, body) against the models of a method (GatewayError)."""
    from jsonschema import Draft4Validator

    validators = {content_type: Draft4Validator(schema) for content_type, schema in schemas.items()}

    def check(content_type: str, body: bytes) -> None:
        media_type = content_type.split(";", maxsplit=1)[0].strip().lower() or "application/json"
        validator = validators.get(media_type)
        if validator is None:
            return
        try:
            value = json.loads(body)
        except ValueError as e:
            raise GatewayError(BAD_BODY, validation="[Unable to parse the request body as JSON]") from e
        errors = sorted(validator.iter_errors(value), key=lambda e: [str(p) for p in e.absolute_path])
        if errors:
            messages = list(dict.fromkeys(_words(e) for e in errors))[:MAX_MESSAGES]
            raise GatewayError(BAD_BODY, validation=f"[{', '.join(messages)}]")

    return check


def _words(error: Any) -> str:
    """A validation error in the words of the validator that API Gateway uses."""
    wanted, found = error.validator_value, error.instance
    path = "/" + "/".join(str(p) for p in error.absolute_path)
    text = {
        "required": lambda: f"object has missing required properties ({json.dumps(_missing(error))})",
        "type": lambda: (
            f"instance type ({_type_name(found)}) does not match any allowed primitive type "
            f"(allowed: {json.dumps(wanted if isinstance(wanted, list) else [wanted])})"
        ),
        "enum": lambda: (
            f"instance value ({json.dumps(found)}) not found in enum (possible values: {json.dumps(wanted)})"
        ),
        "minimum": lambda: f"numeric instance is lower than the required minimum (minimum: {wanted}, found: {found})",
        "maximum": lambda: f"numeric instance is greater than the required maximum (maximum: {wanted}, found: {found})",
        "minLength": lambda: (
            f"string {json.dumps(found)} is too short (length: {len(found)}, required minimum: {wanted})"
        ),
        "maxLength": lambda: (
            f"string {json.dumps(found)} is too long (length: {len(found)}, maximum allowed: {wanted})"
        ),
        "pattern": lambda: f"ECMA 262 regex {json.dumps(wanted)} does not match input string {json.dumps(found)}",
        "additionalProperties": lambda: (
            f"object instance has properties which are not allowed by the schema: {json.dumps(_unknown(error))}"
        ),
    }.get(error.validator, lambda: str(error.message))()
    return text if path == "/" else f"{path}: {text}"


def _missing(error: Any) -> list[str]:
    return sorted(name for name in error.validator_value if name not in error.instance)


def _unknown(error: Any) -> list[str]:
    return sorted(set(error.instance) - set(error.schema.get("properties") or {}))


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
