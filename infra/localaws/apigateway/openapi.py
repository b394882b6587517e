"""OpenAPI 3.0 documents imported into moto's REST API records, as API Gateway imports them.

`import_body(rest_api, body, mode)` is the one way in: moto's backend functions `put_rest_api` and `import_rest_api` are
replaced by ours (moto_records.py) and end here, so PutRestApi, ImportRestApi and CloudFormation's `Body` alike do
`backend.create_rest_api(...)` and then `backend.put_rest_api(api.id, body, fail_on_warnings=False, mode="overwrite")`.
The document is read whole, and refused where it holds what would not work, before anything is changed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "x-amazon-apigateway-any-method"}
_LOCATIONS = {"path": "path", "query": "querystring", "header": "header"}
_NOT_IN_MODELS = {"minItems", "maxItems", "example", "readOnly", "writeOnly", "xml", "externalDocs", "discriminator"}
_PATH_PART = re.compile(r"\{[\w.:-]+\+?\}|[\w.:~$-]+")


MAX_TIMEOUT_MS = 29_000
"""API Gateway waits no longer for an integration, unless the account's quota was raised."""


class DocumentError(ValueError):
    """The document cannot be imported; the text says why."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    operation_name: str | None
    api_key_required: bool
    parameters: dict[str, bool]
    models: dict[str, str]
    validator: str | None
    integration: dict[str, Any]
    statuses: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """What an import brings."""

    title: str
    description: str
    api_key_source: str
    binary_media_types: list[str]
    operations: list[Operation]
    schemas: dict[str, dict[str, Any]]
    validators: dict[str, dict[str, bool]]
    gateway_responses: dict[str, dict[str, Any]] = field(default_factory=dict)


def read(body: Mapping[str, Any]) -> Document:
    """Read an OpenAPI 3.0 document (DocumentError)."""
    version = str(body.get("openapi", ""))
    if not version.startswith("3.0"):
        raise DocumentError(f"Local AWS imports OpenAPI 3.0 documents, not {version or body.get('swagger')!r}")
    if body.get("security"):
        raise DocumentError("API Gateway ignores security at the root of a document: name it at each operation")
    schemas = _component_schemas(body)
    operations = [
        _operation(body, schemas, path, method, item, operation)
        for path, item in (body.get("paths") or {}).items()
        for method, operation in item.items()
        if method.lower() in METHODS
    ]
    info = body.get("info") or {}
    return Document(
        title=str(info.get("title", "")),
        description=str(info.get("description", "")),
        api_key_source=str(body.get("x-amazon-apigateway-api-key-source", "")).upper(),
        binary_media_types=list(body.get("x-amazon-apigateway-binary-media-types") or []),
        operations=operations,
        schemas=schemas,
        validators=dict(body.get("x-amazon-apigateway-request-validators") or {}),
        gateway_responses=dict(body.get("x-amazon-apigateway-gateway-responses") or {}),
    )


def import_body(rest_api: Any, body: Mapping[str, Any], mode: str = "overwrite") -> None:
    """Put what an OpenAPI document says into moto's `RestAPI` (DocumentError; nothing is changed then).

    `overwrite` replaces all there is but the root resource; `merge` adds and replaces method by method."""
    document = read(body)
    if mode == "overwrite":
        _empty(rest_api)
    rest_api.api_key_source = document.api_key_source or rest_api.api_key_source
    rest_api.binaryMediaTypes = document.binary_media_types or rest_api.binaryMediaTypes
    validators = {
        name: rest_api.create_request_validator(
            name, bool(v.get("validateRequestBody")), bool(v.get("validateRequestParameters"))
        ).id
        for name, v in document.validators.items()
    }
    for name, schema in document.schemas.items():
        rest_api.add_model(name, schema.get("description", ""), json.dumps(schema), "application/json")
    for kind, response in document.gateway_responses.items():
        status = response.get("statusCode")
        rest_api.put_gateway_response(
            kind,
            str(status) if status is not None else None,
            response.get("responseParameters") or {},
            response.get("responseTemplates") or {},
        )
    for operation in document.operations:
        _put(rest_api, operation, validators)


def _empty(rest_api: Any) -> None:
    root = next(r for r in rest_api.resources.values() if not r.parent_id)
    root.resource_methods = {}
    rest_api.resources = {root.id: root}
    rest_api.default = root
    rest_api.models, rest_api.request_validators, rest_api.gateway_responses = {}, {}, {}


def _put(rest_api: Any, operation: Operation, validators: Mapping[str, str]) -> None:
    resource = _resource(rest_api, operation.path)
    method = resource.add_method(
        operation.method,
        "NONE",
        operation.api_key_required,
        request_parameters=operation.parameters,
        request_models=operation.models,
        operation_name=operation.operation_name,
        request_validator_id=validators.get(operation.validator or ""),
    )
    for status in operation.statuses:
        method.create_response(status, {}, {})
    integration = operation.integration
    resource.add_integration(
        operation.method,
        "AWS_PROXY",
        integration["uri"],
        integration_method=integration.get("httpMethod", "POST"),
        passthrough_behavior=str(integration.get("passthroughBehavior", "when_no_match")).upper(),
        timeout_in_millis=integration.get("timeoutInMillis", MAX_TIMEOUT_MS),
        content_handling=integration.get("contentHandling"),
        credentials=integration.get("credentials"),
    )


def _resource(rest_api: Any, path: str) -> Any:
    """The resource of a path; it and those above it are made where they are not there."""
    resource = next(r for r in rest_api.resources.values() if not r.parent_id)
    for part in path.split("/"):
        if not part:
            continue
        known = (r for r in rest_api.resources.values() if r.parent_id == resource.id and r.path_part == part)
        resource = next(known, None) or rest_api.add_child(part, resource.id)
    return resource


def _operation(
    body: Mapping[str, Any],
    schemas: dict[str, dict[str, Any]],
    path: str,
    method: str,
    item: Mapping[str, Any],
    operation: Mapping[str, Any],
) -> Operation:
    name = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    where = f"{name} {path}"
    if not path.startswith("/") or not all(_PATH_PART.fullmatch(p) for p in path.split("/") if p):
        raise DocumentError(f"{where}: no path that API Gateway takes")
    parameters = [_resolve(body, p) for p in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]]
    validator = operation.get(
        "x-amazon-apigateway-request-validator", body.get("x-amazon-apigateway-request-validator")
    )
    if validator is not None and validator not in (body.get("x-amazon-apigateway-request-validators") or {}):
        raise DocumentError(f"{where}: unknown request validator {validator!r}")
    return Operation(
        path=path,
        method=name,
        operation_name=operation.get("operationId"),
        api_key_required=_api_key_required(body, where, operation),
        parameters={
            f"method.request.{_LOCATIONS[p['in']]}.{p['name']}": bool(p.get("required"))
            for p in parameters
            if p["in"] in _LOCATIONS
        },
        models=_models(body, schemas, where, operation),
        validator=validator,
        integration=_integration(where, operation),
        statuses=tuple(s for s in map(str, operation.get("responses") or {}) if s.isdigit()),
    )


def _integration(where: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    integration = dict(operation.get("x-amazon-apigateway-integration") or {})
    kind = str(integration.get("type", "")).upper()
    if kind != "AWS_PROXY":
        raise DocumentError(f"{where}: local AWS runs integrations of type aws_proxy, not {kind or 'none'}")
    if ":lambda:path/" not in str(integration.get("uri", "")):
        raise DocumentError(f"{where}: Invalid ARN specified in the request: the integration's uri names no function")
    if not 50 <= integration.get("timeoutInMillis", MAX_TIMEOUT_MS) <= MAX_TIMEOUT_MS:
        raise DocumentError(f"{where}: Timeout should be between 50 ms and {MAX_TIMEOUT_MS} ms")
    return integration


def _api_key_required(body: Mapping[str, Any], where: str, operation: Mapping[str, Any]) -> bool:
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    required = False
    for requirement in operation.get("security") or []:
        for name in requirement:
            scheme = _resolve(body, schemes.get(name) or {})
            is_key = (scheme.get("type"), scheme.get("in"), str(scheme.get("name", "")).lower()) == (
                "apiKey",
                "header",
                "x-api-key",
            )
            if not is_key or "x-amazon-apigateway-authtype" in scheme:
                raise DocumentError(f"{where}: local AWS knows API keys in x-api-key, not the scheme {name!r}")
            required = True
    return required


def _models(
    body: Mapping[str, Any], schemas: dict[str, dict[str, Any]], where: str, operation: Mapping[str, Any]
) -> dict[str, str]:
    """Content type -> name of the model of the request's body; a schema written in place gets a name of its own."""
    models: dict[str, str] = {}
    request = _resolve(body, operation.get("requestBody") or {})
    for content_type, content in (request.get("content") or {}).items():
        schema = content.get("schema")
        if schema is None:
            continue
        reference = str(schema.get("$ref", ""))
        name = reference.rsplit("/", 1)[-1] if reference else "MODEL" + re.sub(r"\W", "", where)
        if reference and name not in schemas:
            raise DocumentError(f"{where}: unknown schema {reference}")
        if not reference:
            schemas[name] = json_schema(schema)
        models[content_type] = name
    return models


def _component_schemas(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: json_schema(s) for name, s in ((body.get("components") or {}).get("schemas") or {}).items()}


def json_schema(schema: Any) -> Any:
    """OpenAPI's schema as the JSON schema (draft 4) of a model. API Gateway leaves out how long an array may be."""
    if isinstance(schema, list):
        return [json_schema(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: _schema_part(k, v) for k, v in schema.items() if k not in _NOT_IN_MODELS}
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def _schema_part(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: json_schema(schema) for name, schema in value.items()}
    return value if key in {"enum", "default", "required"} else json_schema(value)


def _resolve(body: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a `$ref` within the document."""
    for _ in range(10):
        reference = value.get("$ref")
        if reference is None:
            return value
        target: Any = body
        for part in str(reference).removeprefix("#/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            raise DocumentError(f"unknown reference {reference}")
        value = target
    raise DocumentError("references that go in a circle")
