"""moto's REST API records: documents are imported by us, deployments keep what they serve."""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from infra.localaws.apigateway.access_log import NO_ROLE
from infra.localaws.apigateway.openapi import DocumentError, import_body, read
from infra.localaws.apigateway.snapshot import take


def patch() -> None:
    """Change moto's classes, once a process."""
    models: Any = import_module("moto.apigateway.models")
    APIGatewayBackend, RestAPI = models.APIGatewayBackend, models.RestAPI  # noqa: N806 - moto's classes
    if getattr(RestAPI, "answers_for_real", False):
        return
    RestAPI.answers_for_real = True
    RestAPI.create_deployment = freezing(RestAPI.create_deployment)
    RestAPI.update_integration_mocks = lambda *_: None
    APIGatewayBackend.put_rest_api = put_rest_api
    APIGatewayBackend.import_rest_api = import_rest_api
    APIGatewayBackend.update_stage = needing_a_log_role(APIGatewayBackend.update_stage)
    APIGatewayBackend.create_usage_plan_key = on_known_plans(APIGatewayBackend.create_usage_plan_key)


def freezing(original: Callable[..., Any]) -> Callable[..., Any]:
    """A deployment keeps a snapshot of its API; a stage that there is already keeps its settings."""

    @functools.wraps(original)
    def create_deployment(self: Any, name: str, description: str, stage_variables: Any = None) -> Any:
        stage = self.stages.get(name) if name else None
        deployment = original(self, name, description, stage_variables)
        deployment.snapshot = take(self)
        if stage is not None:
            stage.deployment_id = deployment.id
            stage.variables = stage_variables or stage.variables
            self.stages[name] = stage
        return deployment

    return create_deployment


def put_rest_api(
    self: Any,
    function_id: str,
    api_doc: dict[str, Any],
    fail_on_warnings: bool = False,  # noqa: ARG001 - what we cannot run is refused either way
    mode: str = "merge",
) -> Any:
    """In place of moto's: import an OpenAPI document into an API; stages change with the next deployment."""
    from moto.apigateway.exceptions import InvalidOpenApiModeException

    if mode not in {"merge", "overwrite"}:
        raise InvalidOpenApiModeException
    rest_api = self.get_rest_api(function_id)
    try:
        import_body(rest_api, api_doc, mode)
    except DocumentError as e:
        raise _bad_request(str(e)) from e
    return rest_api


def import_rest_api(self: Any, api_doc: dict[str, Any], fail_on_warnings: bool = False) -> Any:
    """In place of moto's: a new API from a document; none is made where it is refused."""
    try:
        document = read(api_doc)
    except DocumentError as e:
        raise _bad_request(str(e)) from e
    rest_api = self.create_rest_api(name=document.title, description=document.description)
    return self.put_rest_api(rest_api.id, api_doc, fail_on_warnings, "overwrite")


def _bad_request(message: str) -> Exception:
    from moto.apigateway.exceptions import BadRequestException

    error: Exception = BadRequestException(f"Errors found during import:\n\t{message}")
    return error


def needing_a_log_role(original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse an access log in an account that has not set the role by which API Gateway writes logs."""

    @functools.wraps(original)
    def update_stage(self: Any, function_id: str, stage_name: str, patch_operations: list[dict[str, Any]]) -> Any:
        from moto.apigateway.exceptions import BadRequestException

        logs = any(o["op"] != "remove" and o["path"].startswith("/accessLogSettings") for o in patch_operations)
        if logs and not self.account.cloudwatch_role_arn:
            raise BadRequestException(NO_ROLE)
        return original(self, function_id, stage_name, patch_operations)

    return update_stage


def on_known_plans(original: Callable[..., Any]) -> Callable[..., Any]:
    """moto makes keys for plans that do not exist."""

    @functools.wraps(original)
    def create_usage_plan_key(self: Any, usage_plan_id: str, payload: dict[str, Any]) -> Any:
        self.get_usage_plan(usage_plan_id)
        return original(self, usage_plan_id, payload)

    return create_usage_plan_key
