"""What a deployment serves: a REST API frozen at the time it was deployed.

Plain values alone: a snapshot is kept on moto's `Deployment` and so outlives a restart."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class MethodSnapshot:
    """One method of one resource."""

    resource_id: str
    path: str
    method: str
    operation_name: str | None
    authorization: str
    api_key_required: bool
    required_parameters: tuple[str, ...]
    """Like `method.request.querystring.days`; empty where they are not validated."""
    body_schemas: dict[str, dict[str, Any]]
    """Content type -> JSON schema; empty where bodies are not validated."""
    integration_type: str
    integration_uri: str
    timeout_s: float


@dataclass(frozen=True)
class GatewayResponse:
    """What an error of the gateway itself looks like."""

    status: int | None
    headers: dict[str, str]
    templates: dict[str, str]


@dataclass(frozen=True)
class ApiSnapshot:
    """A deployed API."""

    api_id: str
    account_id: str
    region: str
    binary_media_types: tuple[str, ...]
    methods: tuple[MethodSnapshot, ...]
    gateway_responses: dict[str, GatewayResponse] = field(default_factory=dict)


def take(rest_api: Any) -> ApiSnapshot:
    """Freeze moto's `RestAPI` as it stands."""
    return ApiSnapshot(
        api_id=rest_api.id,
        account_id=rest_api.account_id,
        region=rest_api.region_name,
        binary_media_types=tuple(rest_api.binaryMediaTypes),
        methods=tuple(
            _method(rest_api, resource, method)
            for resource in rest_api.resources.values()
            for method in resource.resource_methods.values()
        ),
        gateway_responses={kind: _gateway_response(r) for kind, r in rest_api.gateway_responses.items()},
    )


def _method(rest_api: Any, resource: Any, method: Any) -> MethodSnapshot:
    validator = rest_api.request_validators.get(method.request_validator_id)
    integration = method.method_integration
    parameters = method.request_parameters or {}
    checks_parameters = bool(validator and validator.validate_request_parameters)
    checks_body = bool(validator and validator.validate_request_body)
    return MethodSnapshot(
        resource_id=resource.id,
        path=resource.get_path(),
        method=method.http_method,
        operation_name=method.operation_name,
        authorization=method.authorization_type or "NONE",
        api_key_required=bool(method.api_key_required),
        required_parameters=tuple(n for n, r in parameters.items() if r and checks_parameters),
        body_schemas=_body_schemas(rest_api, method.request_models or {}) if checks_body else {},
        integration_type=integration.integration_type if integration else "",
        integration_uri=integration.uri or "" if integration else "",
        timeout_s=float(integration.timeout_in_millis or 29_000) / 1000 if integration else 29.0,
    )


def _body_schemas(rest_api: Any, models: dict[str, str]) -> dict[str, dict[str, Any]]:
    schemas = {name: json.loads(model.schema) for name, model in rest_api.models.items() if model.schema}
    return {
        content_type.lower(): schemas[name] | {"components": {"schemas": schemas}}
        for content_type, name in models.items()
        if name in schemas
    }


def _gateway_response(record: Any) -> GatewayResponse:
    status = record.status_code
    return GatewayResponse(
        status=int(status) if status else None,
        headers={
            name.removeprefix("gatewayresponse.header."): value
            for name, value in (record.response_parameters or {}).items()
            if name.startswith("gatewayresponse.header.")
        },
        templates=dict(record.response_templates or {}),
    )
